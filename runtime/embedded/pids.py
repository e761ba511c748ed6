"""Processes by number, safe against the number's reuse, and their orderly end."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

POLL_SECONDS = 0.02


class Pid(BaseModel):
    """A process that once was seen alive: its number and its start, in clock ticks since boot."""

    model_config = ConfigDict(frozen=True)

    number: int
    started: int

    @classmethod
    def of(cls, number: int) -> Self | None:
        """The process that has this number now, if any; a zombie has ended."""
        try:
            stat = Path(f"/proc/{number}/stat").read_text()
        except OSError:
            return None
        # The name, in parentheses, may itself hold spaces and parentheses.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(number=number, started=int(fields[19]))

    @property
    def is_alive(self) -> bool:
        return Pid.of(self.number) == self

    def signal(self, number: int) -> None:
        """Send it a signal; one that has ended is none of our business any more."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.number, number)

    def kill_group(self) -> None:
        """Kill it and whatever it started in its group."""
        if self.is_alive:
            # A child that was forked this instant leads no group yet.
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError):
                    kill(self.number, signal.SIGKILL)


def stop(processes: Iterable[tuple[Pid, int]], grace_seconds: float) -> list[Pid]:
    """Send each process its stop signal, wait a bounded time, kill and answer those that stay."""
    targets = list(processes)
    for pid, stop_signal in targets:
        pid.signal(stop_signal)
        # One that was stopped by job control cannot hear anything until it continues.
        pid.signal(signal.SIGCONT)
    pids = [pid for pid, _ in targets]
    if wait_for_end(pids, grace_seconds):
        return []
    stubborn = [pid for pid in pids if pid.is_alive]
    for pid in stubborn:
        pid.kill_group()
    wait_for_end(stubborn, grace_seconds)
    return stubborn


def wait_for_end(pids: Iterable[Pid], seconds: float) -> bool:
    """Wait until all have ended; False when some still live after that many seconds."""
    deadline = time.monotonic() + seconds
    waiting = list(pids)
    while waiting := [pid for pid in waiting if pid.is_alive]:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
