"""micromart staff-actions: who of the staff did what."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from cli.mail import plain
from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from runtime.settings import Settings

if TYPE_CHECKING:
    from services.auth.staff_action_store import NotedAction

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
From = typer.Option("--from", formats=_FORMATS, help="The first moment, UTC.")
Until = typer.Option("--until", formats=_FORMATS, help="The moment after the last, UTC.")


def staff_actions(
    actor: Annotated[str | None, typer.Option(help="A user's id, key:ID or cli:USER.")] = None,
    since: Annotated[datetime | None, From] = None,
    until: Annotated[datetime | None, Until] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show what the staff did, newest first: written down before it was done."""
    from api.auth.desk_views import StaffActionView

    class StaffActionList(BaseModel):
        items: list[StaffActionView]

    found = asyncio.run(_read(settings_of_platform(data), actor, _utc(since), _utc(until), limit))
    if as_json:
        listed = StaffActionList(items=[StaffActionView.of(noted) for noted in found])
        typer.echo(listed.model_dump_json(indent=2))
    elif not found:
        console.print("nothing is noted")
    else:
        _show(found)


async def _read(
    settings: Settings, actor: str | None, since: datetime | None, until: datetime | None, limit: int
) -> list["NotedAction"]:
    from services.auth.factory import open_staff_actions

    async with open_staff_actions(settings) as trail:
        return await trail.actions(actor=actor, since=since, until=until, limit=limit)


def _show(found: list["NotedAction"]) -> None:
    table = Table("when", "who", "what", "answered", "from", box=None, pad_edge=False)
    for noted in found:
        action = noted.action
        table.add_row(
            f"{noted.noted_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            Text(plain(action.actor)),
            # A path is the client's own text; what it means is the route.
            Text(plain(f"{action.method} {action.route if action.method == 'CLI' else action.path}")),
            str(noted.status) if noted.status is not None else "?",
            Text(plain(action.address)),
        )
    console.print(table)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None else None
