"""A platform as a user has it: started, looked at and stopped by the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.gateway.routes import LimitClass
from runtime.embedded import connection_settings
from runtime.embedded.folder import DataFolder
from runtime.embedded.pids import Pid, wait_for_end
from runtime.embedded.plan import DEFAULT_PORTS
from runtime.embedded.state import PlatformState
from runtime.settings import PREFIX
from tests.ports import free_port

READY_SECONDS = 120.0
POLL_SECONDS = 0.05
# A demo's, on a machine with other things to do.
COMMAND_SECONDS = 400.0
# What one address may fail at signing in, as in production: the embedded platform allows for a crowd.
FAILURES = 100


@dataclass
class Platform:
    """One data folder and what runs on it."""

    data: Path
    only: str = ""
    _seen: set[Pid] = field(default_factory=set)

    def command(self, name: str, *arguments: str) -> list[str]:
        if "auto" in arguments and self.data.parent.is_dir():
            self._deal_ports()
        return [sys.executable, "-m", "cli.main", name, "--data", str(self.data), *arguments]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this folder, whatever comes of it."""
        return subprocess.run(
            self.command(name, *arguments),
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def up(self) -> None:
        started = self.run("up", "--ports", "auto", "--detach", "--only", self.only)
        assert started.returncode == 0, started.stdout + started.stderr
        self.status()

    def down(self) -> None:
        stopped = self.run("down")
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr

    def _deal_ports(self) -> None:
        """Have it draw none itself: a neighbour's may draw the same one while its owner is not up."""
        folder = DataFolder(self.data)
        if not folder.ports():
            self.data.mkdir(exist_ok=True)
            folder.keep_ports({name: free_port() for name in DEFAULT_PORTS})

    def status(self) -> dict[str, Any]:
        asked = self.run("status", "--json")
        assert asked.stdout, asked.stderr
        status: dict[str, Any] = json.loads(asked.stdout)
        pids = (Pid.of(process["pid"]) for process in status["processes"] if process["pid"])
        self._seen |= {pid for pid in pids if pid is not None}
        return status

    def process(self, name: str) -> dict[str, Any]:
        """What the status says of one process."""
        found: dict[str, Any] = next(one for one in self.status()["processes"] if one["name"] == name)
        return found

    def pid(self, name: str) -> int:
        """The process's number, without asking it anything."""
        state = DataFolder(self.data).state()
        assert state is not None
        pid = next(process.pid for process in state.processes if process.name == name)
        assert pid is not None
        return pid.number

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def stop(self, name: str) -> None:
        """Freeze a process: it lives and does not answer."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def cont(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status, once it is as wanted."""
        deadline = time.monotonic() + READY_SECONDS
        while not holds(status := self.status()):
            assert time.monotonic() < deadline, f"not in {READY_SECONDS} s: {status}"
            time.sleep(POLL_SECONDS)
        return status

    def wait_ready(self) -> dict[str, Any]:
        return self.wait_until(lambda status: bool(status["ready"]))

    @property
    def gateway(self) -> str:
        return str(self.status()["gateway"])

    @property
    def temporal_address(self) -> str:
        return str(self.status()["temporal"]["address"])

    @property
    def environment(self) -> dict[str, str]:
        """The MICROMART_ settings that reach it."""
        return connection_settings(self.data)

    @property
    def left(self) -> set[Pid]:
        """Every process of it that any status has shown and that still lives."""
        return {pid for pid in self._seen if pid.is_alive}


def clean_environment() -> dict[str, str]:
    """The tests' environment without settings: the platform computes its own.

    But for the limits, since hundreds of buyers come from one address here, and for what would be waited for.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    limits = {f"{PREFIX}LIMIT_{limit.upper()}": "1000000/minute" for limit in LimitClass}
    patience = {"REFRESH_GRACE_SECONDS": "1", "SIGN_IN_FAILURES_PER_ADDRESS": str(FAILURES)}
    return kept | limits | {f"{PREFIX}{name}": value for name, value in patience.items()}


def state_of(platform: Platform) -> PlatformState:
    state = DataFolder(platform.data).state()
    assert state is not None
    return state


def kill_supervisor(platform: Platform) -> None:
    supervisor = state_of(platform).supervisor
    os.kill(supervisor.number, signal.SIGKILL)
    assert wait_for_end([supervisor], READY_SECONDS)


@contextmanager
def running(platform: Platform) -> Iterator[Platform]:
    """It is up until the block ends, and leaves nothing behind."""
    try:
        platform.up()
        yield platform
    finally:
        platform.down()
    assert not platform.left
