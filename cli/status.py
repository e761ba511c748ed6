"""micromart status: what runs, asked now."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.table import Table

from cli.options import DEFAULT_DATA, Data, command_line, console
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.probes import serves
from runtime.embedded.state import PlatformState, ProcessState

# A service bounds its own readiness check at 2 seconds.
PROBE_SECONDS = 2.5


def status(
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show every process and whether it is ready now; exit code 0 when all are."""
    state = DataFolder(data).state()
    if state is None:
        raise PlatformError(f"nothing runs on {data}; {command_line('up', data)} starts it")
    with ThreadPoolExecutor(max_workers=len(state.processes) or 1) as probes:
        answers = list(probes.map(_is_ready, state.processes))
    ready = state.is_running and all(answers)
    if as_json:
        typer.echo(json.dumps(_document(state, answers, ready), indent=2))
    else:
        console.print(_table(state, answers))
        if not state.is_running:
            console.print(
                f"its supervisor was killed: {command_line('up', data)} starts anew", style="yellow"
            )
    raise typer.Exit(0 if ready else 1)


def _is_ready(process: ProcessState) -> bool:
    return process.pid is not None and process.pid.is_alive and serves(process.probe, PROBE_SECONDS)


def _document(state: PlatformState, answers: list[bool], ready: bool) -> dict[str, object]:
    return {
        "ready": ready,
        "gateway": state.gateway,
        "temporal": {
            "address": state.temporal_address,
            "namespace": state.temporal_namespace,
            "ui": state.temporal_ui,
        },
        "processes": [
            {
                "name": process.name,
                "kind": process.kind,
                "url": process.url,
                "pid": process.pid.number if process.pid is not None else None,
                "ready": answer,
                "restarts": process.restarts,
            }
            for process, answer in zip(state.processes, answers, strict=True)
        ],
    }


def _table(state: PlatformState, answers: list[bool]) -> Table:
    table = Table("process", "kind", "ready", "url", "pid", "restarts", "up", box=None, header_style="bold")
    for process, answer in zip(state.processes, answers, strict=True):
        table.add_row(
            process.name,
            process.kind,
            "[green]yes[/]" if answer else "[red]no[/]",
            process.url,
            str(process.pid.number) if process.pid is not None else "-",
            f"[yellow]{process.restarts}[/]" if process.restarts else "0",
            _uptime(process),
        )
    return table


def _uptime(process: ProcessState) -> str:
    if process.pid is None or process.since is None:
        return "-"
    seconds = int(time.time() - process.since)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds % 60:02}s"
