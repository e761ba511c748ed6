"""What processes use: CPU time and memory, of each with everything that it started."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel

Pids = Mapping[str, int]


class CpuUse(BaseModel):
    """CPU seconds between two moments, by process; `others` is the rest of the machine."""

    seconds: float
    by_process: dict[str, float]
    others: float

    @property
    def cores(self) -> float:
        """How many cores these processes kept busy."""
        return sum(self.by_process.values()) / self.seconds

    @property
    def others_cores(self) -> float:
        """How many cores the rest of the machine kept busy."""
        return self.others / self.seconds


def cpu_meter(pids: Pids) -> Callable[[], CpuUse]:
    """Start to measure; the call of what it answers tells what was used since."""
    began, used, busy = time.perf_counter(), _used(pids), _busy()

    def read() -> CpuUse:
        seconds = time.perf_counter() - began
        now = _used(pids)
        by_process = {name: max(now[name] - used[name], 0.0) for name in pids}
        others = _busy() - busy - sum(by_process.values())
        return CpuUse(seconds=seconds, by_process=by_process, others=max(others, 0.0))

    return read


def memory_of(pids: Pids) -> dict[str, int]:
    """Bytes by process as PSS: a page that several share counts once in the sum."""
    return {name: sum(map(_pss, tree)) for name, tree in _trees(pids).items()}


def own_memory_mb() -> float:
    """What this process has resident now."""
    return _own("VmRSS")


def own_highest_memory_mb() -> float:
    """The most that it ever had resident since `forget_highest_memory`."""
    return _own("VmHWM")


def forget_highest_memory() -> None:
    """What is highest counts from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def _own(name: str) -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in status if line.startswith(f"{name}:"))
    return int(kilobytes) * 1_024 / 1e6


def _used(pids: Pids) -> dict[str, float]:
    return {name: sum(map(_cpu_seconds, tree)) for name, tree in _trees(pids).items()}


def _trees(pids: Pids) -> dict[str, list[psutil.Process]]:
    """Each process with what it started, down to those that are counted by a name of their own."""
    family: dict[int, list[psutil.Process]] = defaultdict(list)
    roots = {number: name for name, number in pids.items()}
    trees: dict[str, list[psutil.Process]] = {name: [] for name in pids}
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            if (name := roots.get(process.pid)) is not None:
                trees[name].append(process)
            else:
                family[process.ppid()].append(process)
    for tree in trees.values():
        # The list grows while it is gone through: children, then theirs.
        for process in tree:
            tree += family[process.pid]
    return trees


def _cpu_seconds(process: psutil.Process) -> float:
    """Its own time and that of its children which have ended: none is lost when one ends meanwhile."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
