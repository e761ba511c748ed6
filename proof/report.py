"""What the benchmark has measured, set against its goals."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel

from proof.event_report import EffectTimes, effects_by_handler, event_figures, relay_figures
from proof.figure import Bound, Figure
from proof.gateway_figures import gateway_figures
from proof.load import Sample, Subject
from proof.measured import Measured, Phase

ALONE = 1
CHECKOUT_CLIENTS = 32
FLOW_CLIENTS = 16

UP_SECONDS = 25.0
MEMORY_MB = 2_000.0
_CROWDED = {
    Subject.FLOOR: CHECKOUT_CLIENTS,
    Subject.CHECKOUT: CHECKOUT_CLIENTS,
    Subject.FLOW: FLOW_CLIENTS,
}
# So many cores used by others, and the figures are theirs too.
NOISE = 0.2


class BenchReport(BaseModel):
    """What is written as JSON."""

    figures: list[Figure]
    effects_ms: dict[str, EffectTimes]
    cpu_ms_per_request: dict[str, dict[str, float]]
    others_cores: float | None
    measured: Measured


def report_of(measured: Measured) -> BenchReport:
    """The figures that stand in the table, with everything that they were computed from."""
    others = [phase.cpu.others_cores for phase in measured.loads]
    if measured.gateway is not None:
        others += measured.gateway.others_cores
    return BenchReport(
        figures=figures_of(measured),
        effects_ms=effects_by_handler(measured.turns),
        cpu_ms_per_request={name: cpu_of(phases) for name, phases in _cpu_columns(measured).items()},
        others_cores=median(others) if others else None,
        measured=measured,
    )


def figures_of(measured: Measured) -> list[Figure]:
    """Medians of the runs, each with its goal."""
    figures = [figure for one in _COMPARISONS if (figure := _compared(one, measured.phases)) is not None]
    figures += event_figures(measured.turns)
    if loads := measured.loads:
        failed = sum(phase.sample.failed for phase in loads)
        figures.append(Figure(name="requests that failed", value=failed, unit="").at_most(0))
    return [*figures, *_alone(measured)]


def _alone(measured: Measured) -> Iterable[Figure]:
    """What is compared with nothing."""
    if (gateway := measured.gateway) is not None:
        yield from gateway_figures(gateway)
    if (relay := measured.relay) is not None:
        yield from relay_figures(relay)
    if measured.up_seconds:
        yield Figure(name="up, on existing data", value=median(measured.up_seconds), unit="s").at_most(
            UP_SECONDS
        )
    if (memory := measured.memory) is not None:
        yield Figure(name="memory of all processes, PSS", value=memory.total / 1e6, unit="MB").at_most(
            MEMORY_MB
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
    return figure.model_copy(
        update={"ratio": ratio, "ratio_to": "floor", "bound": one.quantity.bound, "goal": one.goal}
    )


def _by_run(phases: list[Phase], subject: Subject, clients: int, quantity: _Quantity) -> dict[int, float]:
    return {
        phase.run: quantity.of(phase.sample)
        for phase in phases
        if phase.subject is subject and phase.clients == clients
    }


def _cpu_columns(measured: Measured) -> dict[str, list[Phase]]:
    """The loads by many clients, of which CPU time is told."""
    columns = {
        str(subject): [
            phase for phase in measured.phases if phase.subject is subject and phase.clients == clients
        ]
        for subject, clients in _CROWDED.items()
    }
    for name, on in (("events on", True), ("events off", False)):
        columns[name] = [turn.full for turn in measured.turns if turn.events is on]
    return columns


def cpu_of(phases: list[Phase]) -> dict[str, float]:
    """CPU milliseconds a request by process, the median of these loads; the most expensive first."""
    runs = [phase.cpu_ms_per_request for phase in phases]
    if not runs:
        return {}
    medians = {name: median(run.get(name, 0.0) for run in runs) for name in runs[0]}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))
