"""What the benchmark has measured, set against its goals."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from pydantic import BaseModel, computed_field

from proof.gateway_bench import GatewayFigures
from proof.load import Sample, Subject
from proof.machine import Machine
from proof.meter import CpuUse

ALONE = 1
CHECKOUT_CLIENTS = 32
FLOW_CLIENTS = 16

GATEWAY_PER_SECOND = 3_000.0
UP_SECONDS = 25.0
MEMORY_MB = 2_000.0
# So many cores used by others, and the figures are theirs too.
NOISE = 0.2


class Phase(BaseModel):
    """One load in one run, and the CPU time that it cost."""

    run: int
    subject: Subject
    clients: int
    sample: Sample
    cpu: CpuUse

    @property
    def cpu_ms_per_request(self) -> dict[str, float]:
        """By process; those of the platform that had nothing to do with it are in it as well."""
        requests = self.sample.completed or 1
        return {name: seconds / requests * 1000 for name, seconds in self.cpu.by_process.items()}


class Memory(BaseModel):
    """PSS in bytes by process."""

    by_process: dict[str, int]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return sum(self.by_process.values())


class Bound(StrEnum):
    AT_MOST = "at most"
    AT_LEAST = "at least"


class Figure(BaseModel):
    """One line of the result; with `of_floor` the goal is about that ratio, else about the value."""

    name: str
    value: float
    unit: str
    of_floor: float | None = None
    bound: Bound | None = None
    goal: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or nothing to compare with."""
        if self.goal is None or self.bound is None:
            return None
        measured = self.value if self.of_floor is None else self.of_floor
        return measured <= self.goal if self.bound is Bound.AT_MOST else measured >= self.goal


class Measured(BaseModel):
    """Everything that one benchmark has measured; what was not asked for is empty."""

    machine: Machine
    quick: bool
    phases: list[Phase] = []
    gateway: GatewayFigures | None = None
    up_seconds: list[float] = []
    memory: Memory | None = None
    memory_after_load: Memory | None = None


class BenchReport(BaseModel):
    """What is written as JSON."""

    figures: list[Figure]
    cpu_ms_per_request: dict[Subject, dict[str, float]]
    others_cores: float | None
    measured: Measured


def report_of(measured: Measured) -> BenchReport:
    """The figures that stand in the table, with everything that they were computed from."""
    return BenchReport(
        figures=figures_of(measured),
        cpu_ms_per_request={
            subject: cpu_of(measured.phases, subject, clients) for subject, clients in CPU_COLUMNS.items()
        },
        others_cores=median(phase.cpu.others_cores for phase in measured.phases) if measured.phases else None,
        measured=measured,
    )


def figures_of(measured: Measured) -> list[Figure]:
    """Medians of the runs, each with its goal."""
    figures = [figure for one in _COMPARISONS if (figure := _compared(one, measured.phases)) is not None]
    if measured.phases:
        failed = sum(phase.sample.failed for phase in measured.phases)
        figures.append(
            Figure(name="requests that failed", value=failed, unit="", bound=Bound.AT_MOST, goal=0)
        )
    return [*figures, *_alone(measured)]


def _alone(measured: Measured) -> Iterable[Figure]:
    """What is compared with nothing."""
    if (gateway := measured.gateway) is not None:
        yield Figure(
            name="gateway alone, one core",
            value=gateway.requests_per_second,
            unit="/s",
            bound=Bound.AT_LEAST,
            goal=GATEWAY_PER_SECOND,
        )
        yield Figure(
            name="gateway's requests that failed", value=gateway.errors, unit="", bound=Bound.AT_MOST, goal=0
        )
    if measured.up_seconds:
        yield Figure(
            name="up, on existing data",
            value=median(measured.up_seconds),
            unit="s",
            bound=Bound.AT_MOST,
            goal=UP_SECONDS,
        )
    if measured.memory is not None:
        yield Figure(
            name="memory of all processes, PSS",
            value=measured.memory.total / 1e6,
            unit="MB",
            bound=Bound.AT_MOST,
            goal=MEMORY_MB,
        )


@dataclass(frozen=True)
class _Quantity:
    """What is told of a load, and which way is better."""

    name: str
    unit: str
    of: Callable[[Sample], float]
    bound: Bound


_LATENCY = _Quantity("p50 at", "ms", lambda sample: sample.p50_ms, Bound.AT_MOST)
_THROUGHPUT = _Quantity("throughput at", "/s", lambda sample: sample.per_second, Bound.AT_LEAST)


@dataclass(frozen=True)
class _Comparison:
    """A quantity of one subject, and how many times the floor's it may or must be."""

    subject: Subject
    clients: int
    quantity: _Quantity
    goal: float | None = None

    @property
    def floor_clients(self) -> int:
        return ALONE if self.clients == ALONE else CHECKOUT_CLIENTS


_COMPARISONS = (
    _Comparison(Subject.FLOOR, ALONE, _LATENCY),
    _Comparison(Subject.CHECKOUT, ALONE, _LATENCY, goal=2.0),
    _Comparison(Subject.FLOW, ALONE, _LATENCY, goal=3.0),
    _Comparison(Subject.FLOOR, CHECKOUT_CLIENTS, _THROUGHPUT),
    _Comparison(Subject.CHECKOUT, CHECKOUT_CLIENTS, _THROUGHPUT, goal=0.6),
    _Comparison(Subject.FLOW, FLOW_CLIENTS, _THROUGHPUT, goal=0.35),
)


def _compared(one: _Comparison, phases: list[Phase]) -> Figure | None:
    """The median; its ratio is made within each run first, so that a slow minute hits both sides."""
    values = _by_run(phases, one.subject, one.clients, one.quantity)
    if not values:
        return None
    plural = "client" if one.clients == 1 else "clients"
    figure = Figure(
        name=f"{one.subject}, {one.quantity.name} {one.clients} {plural}",
        value=median(values.values()),
        unit=one.quantity.unit,
    )
    floors = _by_run(phases, Subject.FLOOR, one.floor_clients, one.quantity)
    if one.goal is None or not floors:
        return figure
    ratio = median(values[run] / floors[run] for run in values.keys() & floors.keys())
    return figure.model_copy(update={"of_floor": ratio, "bound": one.quantity.bound, "goal": one.goal})


def _by_run(phases: list[Phase], subject: Subject, clients: int, quantity: _Quantity) -> dict[int, float]:
    return {
        phase.run: quantity.of(phase.sample)
        for phase in phases
        if phase.subject is subject and phase.clients == clients
    }


CPU_COLUMNS = {
    Subject.FLOOR: CHECKOUT_CLIENTS,
    Subject.CHECKOUT: CHECKOUT_CLIENTS,
    Subject.FLOW: FLOW_CLIENTS,
}


def cpu_of(phases: list[Phase], subject: Subject, clients: int) -> dict[str, float]:
    """CPU milliseconds a request by process, the median of the runs; the most expensive first."""
    runs = [
        phase.cpu_ms_per_request for phase in phases if phase.subject is subject and phase.clients == clients
    ]
    if not runs:
        return {}
    medians = {name: median(run.get(name, 0.0) for run in runs) for name in runs[0]}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))
