"""micromart api-keys: make, see and end the keys of machines."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from api.auth.desk_views import ApiKeyView, NewApiKeyView
from cli.mail import plain
from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from cli.trail import noted
from contracts.auth import Scope
from runtime.settings import Settings
from services.auth.api_key_store import ApiKey
from services.auth.api_keys import ApiKeys, NewApiKey
from services.auth.factory import open_api_keys

Answer = TypeVar("Answer")
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]

api_keys = typer.Typer(name="api-keys", help="The keys of machines.", no_args_is_help=True)


class ApiKeyList(BaseModel):
    """What `api-keys list --json` prints."""

    items: list[ApiKeyView]


@api_keys.command("create")
def create_api_key(
    name: Annotated[str, typer.Option(help="Which machine has it.", min=1, max=100)],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be given more than once.")],
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Until it expires; else never.")] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once. Each time, it is another one."""
    settings = settings_of_platform(data)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None

    async def create(keys: ApiKeys) -> NewApiKey:
        async with noted(settings, "api-keys create", f"{name}: {', '.join(sorted(scope))}"):
            return await keys.create(name, scope, created_by="cli", expires_at=expires_at)

    new = _with_keys(settings, create)
    if as_json:
        typer.echo(NewApiKeyView.made(new).model_dump_json(indent=2))
    else:
        typer.echo(new.secret.get_secret_value())


@api_keys.command("list")
def list_api_keys(
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Show the newest keys, those that have ended too."""

    async def newest(keys: ApiKeys) -> list[ApiKey]:
        return await keys.keys(limit=limit)

    found = _with_keys(settings_of_platform(data), newest)
    if as_json:
        typer.echo(ApiKeyList(items=[ApiKeyView.of(key) for key in found]).model_dump_json(indent=2))
        return
    table = Table("id", "name", "scopes", "made", "used", "state", box=None, pad_edge=False)
    now = datetime.now(UTC)
    for key in found:
        made, used = (
            f"{key.created_at:%Y-%m-%d}",
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "",
        )
        state = "holds" if key.holds(now) else "revoked" if key.revoked_at else "expired"
        table.add_row(key.id, Text(plain(key.name)), ", ".join(sorted(key.scopes)), made, used, state)
    console.print(table)


@api_keys.command("revoke")
def revoke_api_key(key_id: Annotated[str, typer.Argument(metavar="ID")], data: Data = DEFAULT_DATA) -> None:
    """End a key: within five seconds it opens nothing. Safe to repeat."""
    settings = settings_of_platform(data)

    async def revoke(keys: ApiKeys) -> None:
        async with noted(settings, "api-keys revoke", key_id):
            await keys.revoke(key_id)

    _with_keys(settings, revoke)
    console.print(f"{key_id} is revoked")


def _with_keys(settings: Settings, use: Callable[[ApiKeys], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        async with open_api_keys(settings) as keys:
            return await use(keys)

    return asyncio.run(run())
