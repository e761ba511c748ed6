"""micromart seed: a shop with something in it."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from cli.options import DEFAULT_DATA, Data, console, settings_of_platform

if TYPE_CHECKING:
    from cli.seeding import SeedSummary


def seed(
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Fill the shop with demo products, stock and users, and show the users' passwords. Safe to repeat."""
    from cli.seeding import seed as seed_stores

    settings = settings_of_platform(data)
    with _Bars() as bars:
        summary = asyncio.run(seed_stores(settings, bars.report))
    if as_json:
        typer.echo(summary.model_dump_json(indent=2))
    else:
        _tell(summary)


class _Bars(Progress):
    """A bar for each kind of thing, where there is a terminal to draw it on; standard output stays clean."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn())
        super().__init__(*columns, console=Console(stderr=True), transient=True)
        self._bars: dict[str, TaskID] = {}

    def report(self, what: str, done: int, of: int) -> None:
        if what not in self._bars:
            self._bars[what] = self.add_task(what)
        self.update(self._bars[what], completed=done, total=of)


def _tell(summary: "SeedSummary") -> None:
    console.print(
        f"made {summary.categories} categories, {summary.products} products,"
        f" {summary.stock_records} stock records, {len(summary.users)} users"
    )
    if not summary.users:
        console.print("the demo users existed already and keep their passwords", style="dim")
        return
    table = Table("email", "role", "password", title="Shown this once", box=None, header_style="bold")
    for user in summary.users:
        table.add_row(user.email, user.role, user.password)
    console.print(table)
