"""What one benchmark has measured, before anything is computed from it."""

from pydantic import BaseModel, computed_field

from proof.effects import Effects
from proof.gateway_figures import GatewayFigures
from proof.load import Sample, Subject
from proof.machine import Machine
from proof.meter import CpuUse
from proof.relay_process import RelayFigures


class Phase(BaseModel):
    """One load in one run, and the CPU time that it cost; one with a rate did not wait for its answers."""

    run: int
    subject: Subject
    clients: int
    rate: float | None = None
    sample: Sample
    cpu: CpuUse

    @property
    def cpu_ms_per_request(self) -> dict[str, float]:
        """By process; those of the platform that had nothing to do with it are in it as well."""
        requests = self.sample.completed or 1
        return {name: seconds / requests * 1000 for name, seconds in self.cpu.by_process.items()}


class Turn(BaseModel):
    """The checkout's two loads, with events or without: at the highest rate, and at half of it."""

    run: int
    events: bool
    full: Phase
    half: Phase
    full_effects: Effects | None = None
    half_effects: Effects | None = None


class Memory(BaseModel):
    """PSS in bytes by process."""

    by_process: dict[str, int]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return sum(self.by_process.values())


class Measured(BaseModel):
    """Everything that one benchmark has measured; what was not asked for is empty."""

    machine: Machine
    quick: bool
    phases: list[Phase] = []
    turns: list[Turn] = []
    gateway: GatewayFigures | None = None
    relay: RelayFigures | None = None
    up_seconds: list[float] = []
    memory: Memory | None = None
    memory_after_load: Memory | None = None

    @property
    def loads(self) -> list[Phase]:
        """Every load that was sent, whatever for."""
        return [*self.phases, *(phase for turn in self.turns for phase in (turn.full, turn.half))]
