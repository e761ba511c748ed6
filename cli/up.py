"""micromart up: the whole platform with one command."""

import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_DATA, Data, console
from cli.progress import Progress, summarise
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.leftovers import end_leftovers
from runtime.embedded.pids import POLL_SECONDS
from runtime.embedded.state import Phase, PlatformState
from runtime.embedded.supervisor import AlreadyRunning, supervise
from runtime.settings import Environment

READY_SECONDS = 90.0
LOG_LINES = 10


class Ports(StrEnum):
    DEFAULT = "default"
    AUTO = "auto"


def up(
    data: Data = DEFAULT_DATA,
    ports: Annotated[Ports, typer.Option(help="The usual ports, or free ones.")] = Ports.DEFAULT,
    detach: Annotated[bool, typer.Option("--detach", help="Return once everything is ready.")] = False,
    environment: Annotated[
        Environment | None, typer.Option(help="What our processes take themselves for.")
    ] = None,
    only: Annotated[str, typer.Option(hidden=True, help="Names of processes, by comma.")] = "",
) -> None:
    """Start the whole platform and keep it running: servers, services, workers, gateway."""
    folder = DataFolder(data)
    if detach:
        options = ["--data", str(folder.path), "--ports", ports, "--only", only]
        _detach(folder, data, options + (["--environment", environment] if environment else []))
        return
    supervise(
        folder,
        Progress(data),
        auto_ports=ports is Ports.AUTO,
        environment=environment,
        only=[name for name in only.split(",") if name],
    )


def _detach(folder: DataFolder, data: Path, options: list[str]) -> None:
    """Run the same command in the background and wait until it is ready."""
    folder.prepare()
    state = folder.state()
    if state is not None and state.is_running:
        if state.phase is not Phase.UP:
            raise AlreadyRunning(folder)
        console.print("MicroMart is up already")
        summarise(state, data)
        return
    log = folder.rotate_log("supervisor")
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_up(folder, supervisor, Progress(data))
    except BaseException:
        _stop(folder, supervisor)
        raise


def _wait_until_up(folder: DataFolder, supervisor: subprocess.Popen[bytes], progress: Progress) -> None:
    deadline = time.monotonic() + READY_SECONDS
    state: PlatformState | None = None
    while state is None or state.phase is not Phase.UP:
        if supervisor.poll() is not None:
            raise PlatformError(_why_it_ended(folder))
        if time.monotonic() > deadline:
            raise PlatformError(_not_ready(folder, state))
        time.sleep(POLL_SECONDS)
        found = folder.state()
        if found is not None and found.supervisor.number == supervisor.pid:
            state = found
            progress.changed(state)


def _stop(folder: DataFolder, supervisor: subprocess.Popen[bytes]) -> None:
    """Leave nothing half started behind."""
    supervisor.terminate()
    supervisor.wait()
    end_leftovers(folder)


def _not_ready(folder: DataFolder, state: PlatformState | None) -> str:
    processes = state.processes if state is not None else ()
    waiting = [process.name for process in processes if process.since is not None and not process.ready]
    lines = [f"not ready after {READY_SECONDS:.0f} s: {', '.join(waiting) or 'the supervisor'}"]
    for name in waiting or ["supervisor"]:
        lines += [f"--- {folder.log(name)}", _tail(folder, name)]
    return "\n".join(lines)


def _why_it_ended(folder: DataFolder) -> str:
    """The one line that a refusal is, else the end of what the supervisor said."""
    said = _tail(folder, "supervisor")
    return said.rpartition("micromart: ")[2]


def _tail(folder: DataFolder, name: str) -> str:
    return "\n".join(folder.log(name).read_text(errors="replace").strip().splitlines()[-LOG_LINES:])
