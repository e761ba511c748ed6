"""What `up` tells while it happens: a line a process when it first serves, a summary, then only trouble."""

import time
from pathlib import Path

from cli.options import NAME_WIDTH, command_line, console
from runtime.clock import utc_now
from runtime.embedded.state import Phase, PlatformState


class Progress:
    """Follows the platform's state, of this process's own supervisor or of another's."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._began = time.monotonic()
        self._phase = Phase.STARTING
        self._told: set[str] = set()
        self._away: set[str] = set()

    def changed(self, state: PlatformState) -> None:
        for process in state.processes if state.phase is not Phase.STOPPING else ():
            if not process.ready and process.name in self._told:
                self._away.add(process.name)
            elif process.ready and process.name in self._away:
                self._away.discard(process.name)
                self.note(f"{process.name} is back")
            elif process.ready and process.name not in self._told:
                self._told.add(process.name)
                seconds = time.time() - (process.since or time.time())
                console.print(
                    f"  [green]✓[/] {process.name:<{NAME_WIDTH}} {seconds:5.1f} s  [dim]{process.url}[/]"
                )
        if state.phase is not self._phase:
            self._phase = state.phase
            self._tell_phase(state)

    def note(self, text: str) -> None:
        # In a log file, which `micromart logs` merges with the others, a line tells its time.
        at = "" if console.is_terminal else f"{utc_now().isoformat()} "
        console.print(at + text, style="yellow", markup=False)

    def _tell_phase(self, state: PlatformState) -> None:
        if state.phase is Phase.STOPPING:
            console.print("stopping ...")
        elif state.phase is Phase.UP:
            seconds = time.monotonic() - self._began
            console.print(f"[bold green]MicroMart is up[/] after {seconds:.1f} s")
            summarise(state, self._data)


def summarise(state: PlatformState, data: Path) -> None:
    """Where everything is."""
    for what, where in (
        ("gateway", state.gateway),
        ("API docs", f"{state.gateway}/docs"),
        ("Temporal UI", state.temporal_ui),
        ("look", f"{command_line('status', data)}, {command_line('logs --follow', data)}"),
        ("stop", command_line("down", data)),
    ):
        console.print(f"  {what:<12} {where}", markup=False)
