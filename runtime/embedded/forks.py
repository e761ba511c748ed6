"""A process of ours as a fork of one that has imported everything: quick to start, its memory shared."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from runtime.settings import PREFIX


class Child(Protocol):
    """A child process; `poll` reaps it: its exit code, negative for a signal, None while it runs."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...


@dataclass
class ForkedChild:
    pid: int
    _code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            reaped, status = os.waitpid(self.pid, os.WNOHANG)
            if reaped:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child: each is given its settings anew, and no other's secrets."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def fork(name: str, main: Callable[[], None], environment: Mapping[str, str], log: Path) -> ForkedChild:
    """Run `main` in a child with this environment and log; only from a process without threads."""
    # A signal that arrives before the child has let go of our handlers must not run them there.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _run(name, main, environment, log, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ForkedChild(pid)


def _run(
    name: str,
    main: Callable[[], None],
    environment: Mapping[str, str],
    log: Path,
    mask: set[int | signal.Signals],
) -> NoReturn:
    code = 1
    try:
        _become_independent(name, log)
        os.environ.clear()
        os.environ.update(environment)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        main()
        code = 0
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become_independent(name: str, log: Path) -> None:
    """Leave the terminal, the supervisor's files and its signal handlers behind."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # What ps and top show, where the system has it.
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1
