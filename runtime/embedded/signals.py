"""Signals for a loop without threads: they wake it, and it looks at them when it is ready to."""

import os
import select
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self


class StopRequested(Exception):
    """Somebody asked this process to end in order."""


class StopSignals:
    """While entered, SIGTERM, SIGINT and SIGHUP ask for an end, and a second SIGINT runs `at_once`."""

    def __init__(self, at_once: Callable[[], None]) -> None:
        self._at_once = at_once
        self._requested = False

    def __enter__(self) -> Self:
        self._reader, writer = os.pipe()
        for end in (self._reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # `nohup` means it.
            if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:
                signal.signal(number, self._on_stop)
        # The end of a child only has to interrupt the wait.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._reader)
        os.close(signal.set_wakeup_fd(-1))

    def wait(self, seconds: float) -> None:
        """Wait until a signal arrives or the time has passed; raises StopRequested once asked to end."""
        self.check()
        if select.select([self._reader], [], [], seconds)[0]:
            os.read(self._reader, 4096)
        self.check()

    def check(self) -> None:
        if self._requested:
            raise StopRequested

    def _on_stop(self, number: int, _: FrameType | None) -> None:
        if self._requested and number == signal.SIGINT:
            self._at_once()
        self._requested = True
