"""micromart migrate: every store brought up to date."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from runtime.embedded.errors import PlatformError
from runtime.embedded.migrations import MIGRATED
from runtime.embedded.migrations import migrate as migrate_stores


def migrate(
    services: Annotated[list[str] | None, typer.Argument(help="Which; all of them without a name.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Migrate the stores that the settings, or else the running platform, name. Safe to repeat."""
    if unknown := set(services or ()) - set(MIGRATED):
        raise PlatformError(
            f"nothing to migrate in {', '.join(sorted(unknown))}; there are {', '.join(MIGRATED)}"
        )
    settings = settings_of_platform(data)
    table = Table("service", "applied", box=None, header_style="bold")
    for service, applied in asyncio.run(migrate_stores(services or MIGRATED, settings)).items():
        table.add_row(service, ", ".join(applied) or "[dim]up to date[/]")
    console.print(table)
