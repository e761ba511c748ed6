"""What runs, as the supervisor writes it down for everybody else: status, down, the next up."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from runtime.embedded.kinds import Kind
from runtime.embedded.pids import Pid


class Phase(StrEnum):
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProcessState(_Written):
    """One process: how to reach, probe and stop it; `ready` is what the supervisor saw last."""

    name: str
    kind: Kind
    url: str
    probe: str
    stop_signal: int
    pid: Pid | None
    since: float | None
    restarts: int
    ready: bool


class PlatformState(_Written):
    """The platform as one supervisor runs it."""

    supervisor: Pid
    phase: Phase
    gateway: str
    temporal_address: str
    temporal_namespace: str
    temporal_ui: str
    processes: tuple[ProcessState, ...]

    @property
    def is_running(self) -> bool:
        """Whether its supervisor still lives."""
        return self.supervisor.is_alive

    @property
    def survivors(self) -> list[ProcessState]:
        """The processes that run now."""
        return [process for process in self.processes if process.pid is not None and process.pid.is_alive]
