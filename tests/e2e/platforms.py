"""Small platforms of a test's own, to look at or to break."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.embedded.folder import DataFolder
from runtime.embedded.pids import wait_for_end
from runtime.embedded.state import PlatformState
from tests.e2e.conftest import READY_SECONDS, Platform


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
    try:
        platform.up()
        yield platform
    finally:
        platform.down()
    assert not platform.left
