"""One process under supervision: started, probed, started again with growing delays when it dies."""

import math
import signal
import time
from pathlib import Path

from runtime.embedded.errors import PlatformError
from runtime.embedded.forks import Child
from runtime.embedded.pids import Pid
from runtime.embedded.ports import is_free
from runtime.embedded.probes import serves
from runtime.embedded.processes import Process
from runtime.embedded.state import ProcessState

PROBE_SECONDS = 0.5
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
# One that has lived this long had recovered: its next failure is a first one again.
SETTLED_SECONDS = 30.0


class Supervised:
    """A process, the child that runs it now if any, and how it has fared so far."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process = process
        self.is_ready = False
        self._log = log
        self._child: Child | None = None
        self._pid: Pid | None = None
        self._since: float | None = None
        self._restarts = 0
        self._delay: float | None = None
        # Not before it was started the first time.
        self._retry_at = math.inf

    def start(self) -> None:
        """Start it; PlatformError where somebody else is on its port, who would answer its probe for it."""
        self._since = time.time()
        if not is_free(self.process.port):
            raise PlatformError(f"another process listens on {self.process.name}'s port {self.process.port}")
        self._child = self.process.start(self._log)
        self._pid = Pid.of(self._child.pid)

    def check(self) -> str | None:
        """Look after it once; answers what is worth telling."""
        if self._child is None:
            return self._start_again() if time.monotonic() >= self._retry_at else None
        if (code := self._child.poll()) is not None:
            return self._ended(f"was killed by {_signal(-code)}" if code < 0 else f"ended with code {code}")
        if not self.is_ready:
            self.is_ready = serves(self.process.probe, PROBE_SECONDS)
        return None

    def reap(self) -> None:
        """Collect it after it was told to end."""
        if self._child is not None and self._child.poll() is not None:
            self._child = self._pid = None
            self.is_ready = False

    def kill(self) -> None:
        if self._pid is not None:
            self._pid.kill_group()

    def state(self) -> ProcessState:
        return ProcessState(
            name=self.process.name,
            kind=self.process.kind,
            url=self.process.url,
            probe=self.process.probe,
            stop_signal=self.process.stop_signal,
            pid=self._pid,
            since=self._since,
            restarts=self._restarts,
            ready=self.is_ready,
        )

    def _start_again(self) -> str | None:
        self._restarts += 1
        try:
            self.start()
        except (PlatformError, OSError) as error:
            return self._ended(f"could not start: {error}")
        return None

    def _ended(self, how: str) -> str:
        lived = time.time() - self._since if self._since is not None else 0.0
        self._delay = next_delay(self._delay, lived)
        self._retry_at = time.monotonic() + self._delay
        self._child = self._pid = None
        self.is_ready = False
        return f"{self.process.name} {how}; starting it again in {self._delay:.1f} s (see {self._log})"


def next_delay(previous: float | None, lived: float) -> float:
    """How long to wait before the next start: ever longer, from the beginning after a long life."""
    if previous is None or lived >= SETTLED_SECONDS:
        return FIRST_DELAY_SECONDS
    return min(previous * 2, LONGEST_DELAY_SECONDS)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
