"""The orderly end of processes that are known by what was written down about them."""

from collections.abc import Iterable

from runtime.embedded import pids
from runtime.embedded.folder import DataFolder
from runtime.embedded.kinds import STOP_ORDER
from runtime.embedded.state import ProcessState

# A worker drains for 5 seconds.
GRACE_SECONDS = 10.0


def end_leftovers(folder: DataFolder) -> list[str]:
    """End what a killed supervisor has left running, by the pids that it wrote down; answers their names."""
    state = folder.state()
    if state is None or state.is_running:
        return []
    left = state.survivors
    stop_in_order(left)
    folder.forget()
    return [process.name for process in left]


def stop_in_order(processes: Iterable[ProcessState]) -> list[str]:
    """Ask each to stop, callers before those they call, and kill what does not in time: their names."""
    running = [(process.kind, process.pid, process) for process in processes]
    killed: list[str] = []
    for kind in STOP_ORDER:
        group = {pid: process for of, pid, process in running if of is kind and pid is not None}
        stubborn = pids.stop(((pid, process.stop_signal) for pid, process in group.items()), GRACE_SECONDS)
        killed += [group[pid].name for pid in stubborn]
    return killed
