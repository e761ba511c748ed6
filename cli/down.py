"""micromart down: the end of a platform, wherever it was started."""

import signal
import time

from cli.options import DEFAULT_DATA, Data, console
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder
from runtime.embedded.leftovers import GRACE_SECONDS, end_leftovers
from runtime.embedded.pids import POLL_SECONDS
from runtime.embedded.state import PlatformState

# Five kinds of processes end one after the other, each within its grace.
DOWN_SECONDS = 6 * GRACE_SECONDS


def down(data: Data = DEFAULT_DATA) -> None:
    """Stop the platform and verify that nothing of it is left."""
    folder = DataFolder(data)
    state = folder.state()
    if state is None:
        console.print(f"nothing runs on {folder.path}", markup=False)
        return
    if state.is_running:
        _stop_supervisor(folder, state)
    else:
        console.print("its supervisor was killed; ending what it left")
    for name in end_leftovers(folder):
        console.print(f"  ended {name}")
    if left := state.survivors:
        raise PlatformError(f"still running: {', '.join(f'{one.name} ({one.pid})' for one in left)}")
    console.print("MicroMart is down")


def _stop_supervisor(folder: DataFolder, state: PlatformState) -> None:
    """Ask it to stop everything; kill it if it does not come to an end."""
    state.supervisor.signal(signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    running = {process.name for process in state.survivors}
    while state.is_running:
        if time.monotonic() > deadline:
            state.supervisor.signal(signal.SIGKILL)
        time.sleep(POLL_SECONDS)
        for name in [process.name for process in state.processes if process.name in running]:
            if name not in {process.name for process in state.survivors}:
                running.discard(name)
                console.print(f"  stopped {name}")
