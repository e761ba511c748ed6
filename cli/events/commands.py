"""micromart events: what the services say, and having them say it again."""

import asyncio
import json
from contextlib import suppress
from typing import Annotated

import typer

from cli.events.rebuild import chosen, open_rebuild
from cli.events.tail import Tail, Wanted, as_line, as_text
from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from runtime.bus import open_bus
from runtime.settings import Settings

Services = Annotated[list[str] | None, typer.Option("--service", help="Only this one's; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]

events = typer.Typer(
    name="events", help="What the services tell each other.", no_args_is_help=True, add_completion=False
)


@events.command("tail")
def tail_bus(
    subject: Annotated[str | None, typer.Option("--subject", help="Only what is about this one.")] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", help="Only this type; `order.*` means all of orders'.")
    ] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=1_000, help="Begin with so many.")] = 10,
    follow: Annotated[bool, typer.Option(help="Go on as events come.")] = True,
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, an event a line.")] = False,
) -> None:
    """Show the events on the bus: the last few, then each one as it comes, until Ctrl-C."""
    settings = settings_of_platform(data)
    wanted = Wanted(subject, event_type)

    async def show() -> None:
        async with open_bus(settings.secret("bus_redis_url")) as bus:
            async for delivery in Tail(bus, wanted).events(last, follow=follow):
                if as_json:
                    typer.echo(as_line(delivery))
                else:
                    console.print(as_text(delivery))

    with suppress(KeyboardInterrupt):
        asyncio.run(show())


@events.command("rebuild")
def rebuild_bus(
    service: Services = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    patience: Annotated[
        float, typer.Option("--patience", min=1, help="Seconds to wait for a relay that does nothing.")
    ] = 20.0,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Have the relays tell the bus again all that the outboxes keep; exit code 0 once they have.

    Whoever has reacted to an event before does not do so again. Safe to repeat.
    """
    services = chosen(service)
    settings = settings_of_platform(data)
    if not yes:
        typer.confirm(f"Tell all events of {', '.join(services)} again?", abort=True, err=True)
    complete = asyncio.run(_rebuilt(services, settings, patience, as_json=as_json))
    raise typer.Exit(0 if complete else 1)


async def _rebuilt(services: tuple[str, ...], settings: Settings, patience: float, *, as_json: bool) -> bool:
    async with open_rebuild(services, settings) as rebuild:
        if as_json:
            await rebuild.run(patience)
            typer.echo(json.dumps(rebuild.document(), indent=2))
        else:
            with console.status("asking the outboxes") as status:
                await rebuild.run(patience, status.update)
            console.print(rebuild.table())
        for reason in rebuild.reasons():
            typer.echo(f"micromart: {reason}", err=True)
        return rebuild.is_complete
