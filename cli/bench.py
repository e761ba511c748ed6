"""micromart bench: how fast it is, against a bare workflow on the same machine."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.options import console
from runtime.embedded.errors import PlatformError

if TYPE_CHECKING:
    from proof.bench import Part
    from proof.figure import Figure
    from proof.measured import Measured
    from proof.report import BenchReport


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="One short run, to tune with.")] = False,
    json_path: Annotated[Path, typer.Option("--json", help="Where the JSON goes.")] = Path("bench.json"),
    only: Annotated[
        str, typer.Option(help="By comma: floor, checkout, flow, events, relay, gateway, up, memory.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option(help="Keep data and logs in this folder; else a temporary one is used.")
    ] = None,
) -> None:
    """Measure the platform against a bare workflow, on a platform of its own; prints a table, writes JSON."""
    from proof.report import report_of

    measured = asyncio.run(_measure(_parts(only), quick=quick, data=data))
    report = report_of(measured)
    _show(report)
    json_path.write_text(report.model_dump_json(indent=2) + "\n")
    console.print(f"written to {json_path}", markup=False)


def _parts(only: str) -> "list[Part]":
    from proof.bench import Part

    names = [name for name in only.split(",") if name]
    if unknown := set(names) - set(Part):
        raise PlatformError(f"there is no part {', '.join(sorted(unknown))} but {', '.join(Part)}")
    return [part for part in Part if not names or part in names]


async def _measure(parts: "list[Part]", *, quick: bool, data: Path | None) -> "Measured":
    """Stops in order on SIGTERM too: the platform would otherwise stay."""
    from proof.bench import measure

    task = asyncio.ensure_future(measure(parts, quick=quick, data=data, tell=_tell))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise typer.Exit(1) from None


def _tell(text: str) -> None:
    console.print(text, style="dim", markup=False)


def _show(report: "BenchReport") -> None:
    from proof.report import NOISE

    machine = report.measured.machine
    console.print(
        f"\n{machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB, {machine.kernel}, "
        f"Python {machine.python}, load {machine.load_average[0]:.1f} at the start",
        markup=False,
    )
    console.print(_figures(report.figures))
    if report.effects_ms:
        console.print(_effects(report))
    if any(report.cpu_ms_per_request.values()):
        console.print(_cpu(report))
    if report.others_cores is not None and report.others_cores > NOISE:
        console.print(
            f"other processes kept {report.others_cores:.1f} cores busy: measure again on a quiet machine",
            style="yellow",
        )


def _figures(figures: "list[Figure]") -> Table:
    table = Table("", "measured", "ratio", "goal", "", box=None, header_style="bold")
    for column in table.columns[1:4]:
        column.justify = "right"
    for figure in figures:
        unit = f" x {figure.ratio_to}" if figure.ratio is not None else f" {figure.unit}".rstrip()
        table.add_row(
            figure.name,
            f"{figure.value:,.1f} {figure.unit}",
            f"{figure.ratio:.2f} x {figure.ratio_to}" if figure.ratio is not None else "",
            f"{figure.bound} {figure.goal:,g}{unit}" if figure.goal is not None else "",
            {True: "[green]✓[/]", False: "[red]✗[/]", None: ""}[figure.met],
        )
    return table


def _effects(report: "BenchReport") -> Table:
    """How long each handler's events took to have their effect."""
    table = Table("handler", title="ms from commit to effect", box=None, header_style="bold")
    for column in ("events", "p50", "p99", "highest"):
        table.add_column(column, justify="right")
    for handler, one in report.effects_ms.items():
        table.add_row(handler, str(one.events), f"{one.p50:.0f}", f"{one.p99:.0f}", f"{one.highest:.0f}")
    return table


def _cpu(report: "BenchReport") -> Table:
    """Where the time goes: CPU milliseconds a request while many clients ask."""
    columns = report.cpu_ms_per_request
    table = Table("process", title="CPU ms per request", box=None, header_style="bold")
    for subject in columns:
        table.add_column(subject, justify="right")
    names = sorted(
        {name for column in columns.values() for name in column},
        key=lambda name: -max(column.get(name, 0.0) for column in columns.values()),
    )
    for name in names:
        table.add_row(name, *(_milliseconds(column, column.get(name, 0.0)) for column in columns.values()))
    table.add_row("all", *(_milliseconds(column, sum(column.values())) for column in columns.values()))
    return table


def _milliseconds(column: dict[str, float], value: float) -> str:
    return f"{value:.2f}" if column else ""
