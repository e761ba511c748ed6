"""What events cost, and how soon they have their effects, set against their goals."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import median

from pydantic import BaseModel

from proof.effects import Effects
from proof.figure import Figure
from proof.load import Sample
from proof.measured import Phase, Turn
from proof.percentiles import percentiles
from proof.relay_process import RelayFigures

EFFECT_MS = 250.0
EFFECT_PERCENT = 99.0
TIMES_WITHOUT = 1.15
RELAY_PER_SECOND = 2_000.0
BACKLOG_MB = 10.0


class EffectTimes(BaseModel):
    """Milliseconds from commit to effect."""

    events: int
    p50: float
    p99: float
    highest: float


def event_figures(turns: list[Turn]) -> Iterable[Figure]:
    """What checkouts do with events on, also as ratios to that with events off, and the events' own times."""
    full, half = [turn.full for turn in turns], [turn.half for turn in turns]
    if not turns:
        return
    yield _against_off("throughput at full load", "/s", turns, full, lambda sample: sample.per_second)
    yield _against_off("p50 at full load", "ms", turns, full, lambda sample: sample.p50_ms)
    at_half = _against_off("p50 at half of it", "ms", turns, half, lambda sample: sample.p50_ms)
    yield at_half.at_most(TIMES_WITHOUT) if at_half.ratio is not None else at_half
    crowded = [turn.full_effects for turn in turns if turn.full_effects is not None]
    effects = [turn.half_effects for turn in turns if turn.half_effects is not None]
    if not effects:
        return
    latencies = percentiles(_pooled(effects))
    yield Figure(name="commit to effect at half of it, p50", value=latencies[49], unit="ms")
    yield Figure(name="commit to effect at half of it, p99", value=latencies[98], unit="ms").at_most(
        EFFECT_MS
    )
    yield Figure(
        name=f"reactions over within {EFFECT_MS:.0f} ms of it", value=_percent_within(effects), unit="%"
    ).at_least(EFFECT_PERCENT)
    yield Figure(
        name="commit to effect at full load, p99", value=percentiles(_pooled(crowded))[98], unit="ms"
    )
    missing = sum(one.missing for one in (*crowded, *effects))
    yield Figure(name="effects that never came", value=missing, unit="").at_most(0)


def relay_figures(relay: RelayFigures) -> Iterable[Figure]:
    """What a relay and a consumer do alone."""
    yield Figure(name="relay alone, one core", value=relay.per_second, unit="/s").at_least(RELAY_PER_SECOND)
    backlog = relay.backlog
    name = f"backlog of {backlog.events:,}"
    yield Figure(name=f"{name}, relayed and reacted to", value=backlog.per_second, unit="/s")
    yield Figure(name=f"{name}, memory grown by", value=backlog.grown_mb, unit="MB").at_most(BACKLOG_MB)


def effects_by_handler(turns: list[Turn]) -> dict[str, EffectTimes]:
    """How long each handler's events took at half of the highest rate, in all runs."""
    pooled: dict[str, list[float]] = defaultdict(list)
    for turn in turns:
        if turn.half_effects is not None:
            for handler, values in turn.half_effects.milliseconds.items():
                pooled[handler] += values
    return {handler: _times(values) for handler, values in sorted(pooled.items())}


def _times(values: list[float]) -> EffectTimes:
    found = percentiles(values)
    return EffectTimes(events=len(values), p50=found[49], p99=found[98], highest=max(values))


def _against_off(
    name: str, unit: str, turns: list[Turn], phases: list[Phase], of: Callable[[Sample], float]
) -> Figure:
    """The median with events on; its ratio is made within each run first."""
    values: dict[bool, dict[int, float]] = {True: {}, False: {}}
    for turn, phase in zip(turns, phases, strict=True):
        values[turn.events][turn.run] = of(phase.sample)
    on, off = values[True], values[False]
    figure = Figure(name=f"events on: checkout, {name}", value=median(on.values()), unit=unit)
    if not (both := on.keys() & off.keys()):
        return figure
    ratio = median(on[run] / off[run] for run in both)
    return figure.model_copy(update={"ratio": ratio, "ratio_to": "off"})


def _pooled(effects: Iterable[Effects]) -> list[float]:
    return [value for one in effects for value in one.all_ms]


def _percent_within(effects: Iterable[Effects]) -> float:
    within = sum(one.ended_within(EFFECT_MS / 1_000) for one in effects)
    return 100.0 * within / max(1, sum(one.reactions for one in effects))
