"""micromart keys: the keys that sign access tokens, and how one takes over from another."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel
from rich.table import Table

from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from cli.trail import noted
from contracts.auth import KEY_SET_MAX_AGE_SECONDS
from runtime.settings import Settings
from services.auth.factory import open_keys
from services.auth.keys import MARGIN, KeyState, SigningKey, SigningKeys

Answer = TypeVar("Answer")
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]

# By then, whoever verifies our tokens has asked for the keys again.
PUBLISHED_SECONDS = KEY_SET_MAX_AGE_SECONDS + int(MARGIN.total_seconds())

keys = typer.Typer(name="keys", help="The keys that sign access tokens.", no_args_is_help=True)


class KeyView(BaseModel):
    """A signing key, without anything secret."""

    kid: str
    state: KeyState
    created_at: datetime
    signs_from: datetime
    needed_until: datetime | None
    retired_at: datetime | None

    @classmethod
    def of(cls, key: SigningKey) -> "KeyView":
        return cls(
            kid=key.kid,
            state=key.state,
            created_at=key.created_at,
            signs_from=key.signs_from,
            needed_until=key.needed_until,
            retired_at=key.retired_at,
        )


class KeyList(BaseModel):
    """What `keys list --json` prints."""

    items: list[KeyView]


@keys.command("list")
def list_keys(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Show every key, the newest first: which is next, which signs, which still verify, which are retired."""
    found = _with_keys(settings_of_platform(data), SigningKeys.keys)
    if as_json:
        typer.echo(KeyList(items=[KeyView.of(key) for key in found]).model_dump_json(indent=2))
        return
    table = Table("key", "state", "signs from", "needed until", "retired", box=None, pad_edge=False)
    for key in found:
        table.add_row(
            key.kid, key.state, _shown(key.signs_from), _shown(key.needed_until), _shown(key.retired_at)
        )
    console.print(table)


@keys.command("rotate")
def rotate_keys(
    publish: Annotated[
        int, typer.Option("--publish", min=10, help="Seconds to publish the new key before it signs.")
    ] = PUBLISHED_SECONDS,
    wait: Annotated[bool, typer.Option("--wait", help="Return only when the new key signs.")] = False,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Publish a new key, which signs once everybody knows it; refused while one waits already."""
    settings = settings_of_platform(data)

    async def rotate(signing_keys: SigningKeys) -> SigningKey:
        async with noted(settings, "keys rotate", "signing keys"):
            new = await signing_keys.rotate(timedelta(seconds=publish))
        if wait:
            await asyncio.sleep((new.signs_from - datetime.now(UTC)).total_seconds())
        return new

    new = _with_keys(settings, rotate)
    if as_json:
        typer.echo(KeyView.of(new).model_dump_json(indent=2))
    else:
        console.print(f"{new.kid} is published and signs from {_shown(new.signs_from)}")


# The name of a key is a digest, which may begin like an option.
@keys.command("retire", context_settings={"ignore_unknown_options": True})
def retire_key(
    kid: Annotated[str, typer.Argument(metavar="KEY")],
    compromised: Annotated[
        bool, typer.Option("--compromised", help="At once: what it signed opens nothing any more.")
    ] = False,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Take a key out of use for good; refused while tokens that it signed may live. Safe to repeat."""
    settings = settings_of_platform(data)

    async def retire(signing_keys: SigningKeys) -> SigningKey:
        async with noted(settings, "keys retire", kid):
            return await signing_keys.retire(kid, compromised=compromised)

    retired = _with_keys(settings, retire)
    if as_json:
        typer.echo(KeyView.of(retired).model_dump_json(indent=2))
    else:
        console.print(f"{retired.kid} is retired")


def _with_keys(settings: Settings, use: Callable[[SigningKeys], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        async with open_keys(settings) as signing_keys:
            return await use(signing_keys)

    return asyncio.run(run())


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment is not None else ""
