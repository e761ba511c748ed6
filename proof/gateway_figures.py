"""What was measured of the gateway and beside it, and the figures that are made of it."""

from collections.abc import Iterable
from statistics import median

from pydantic import BaseModel

from proof.figure import Figure
from proof.gateway_flood import Refused
from proof.gateway_load import Answered
from proof.meter import CpuUse

GATEWAY = "gateway"
DIRECT = "upstream"

PER_SECOND = 3_000.0
ADDED_MS = 1.0
SUSPENDED_MS = 5.0


class Asked(BaseModel):
    """One load on one subject, and the CPU time of all that took part."""

    answered: Answered
    cpu: CpuUse

    def cpu_us(self, subject: str) -> float:
        """CPU microseconds of the subject for a request."""
        return self.cpu.by_process[subject] / max(self.answered.requests, 1) * 1e6


class GatewayRun(BaseModel):
    """Each subject by its name as fast as it goes, and at half of the gateway's highest rate.

    At a quarter of it those whom an open breaker refuses, and the polite, by themselves and beside a flood.
    """

    full: dict[str, Asked]
    half: dict[str, Asked]
    suspended: Asked
    polite: Asked
    flooded: Asked
    flood: Refused

    def added_ms(self, subject: str) -> float:
        """How much later an answer comes than without the subject in between."""
        return self.half[subject].answered.p50_ms - self.half[DIRECT].answered.p50_ms

    @property
    def asked(self) -> list[Asked]:
        return [*self.full.values(), *self.half.values(), self.suspended, self.polite, self.flooded]


class GatewayFigures(BaseModel):
    """All runs; ratios and differences are made within each, before a median is taken."""

    runs: list[GatewayRun]

    @property
    def peers(self) -> list[str]:
        return [name for name in self.runs[0].full if name not in (GATEWAY, DIRECT)]

    @property
    def others_cores(self) -> list[float]:
        """What the rest of the machine took during each load."""
        return [asked.cpu.others_cores for run in self.runs for asked in run.asked]

    @property
    def errors(self) -> int:
        """Requests of good clients that were not answered by the gateway as they should be."""
        return sum(
            asked.answered.errors
            for run in self.runs
            for asked in (run.full[GATEWAY], run.half[GATEWAY], run.suspended, run.polite, run.flooded)
        )


def gateway_figures(found: GatewayFigures) -> Iterable[Figure]:
    """The gateway with its goals, then those beside it, then what a flood does to it."""
    runs = found.runs
    yield _rate(runs, GATEWAY).at_least(PER_SECOND)
    yield _cpu(runs, GATEWAY)
    yield _added(runs, GATEWAY).at_most(ADDED_MS)
    yield from _suspended(runs)
    yield _rate(runs, DIRECT)
    for peer in found.peers:
        yield _rate(runs, peer)
        yield _cpu(runs, peer)
        yield _added(runs, peer)
    yield from _flood(runs)
    yield Figure(name="gateway's requests that failed", value=found.errors, unit="").at_most(0)


def _rate(runs: list[GatewayRun], subject: str) -> Figure:
    """As fast as it goes; of the others also how many times as fast as the gateway."""
    figure = Figure(
        name=f"{subject}, one core", value=median(_per_second(run, subject) for run in runs), unit="/s"
    )
    if subject == GATEWAY:
        return figure
    ratio = median(_per_second(run, subject) / _per_second(run, GATEWAY) for run in runs)
    return figure.model_copy(update={"ratio": ratio, "ratio_to": GATEWAY})


def _cpu(runs: list[GatewayRun], subject: str) -> Figure:
    return Figure(
        name=f"{subject}, CPU of a request",
        value=median(run.full[subject].cpu_us(subject) for run in runs),
        unit="us",
    )


def _added(runs: list[GatewayRun], subject: str) -> Figure:
    return Figure(
        name=f"{subject}, added p50 at half of the gateway's rate",
        value=median(run.added_ms(subject) for run in runs),
        unit="ms",
    )


def _suspended(runs: list[GatewayRun]) -> Iterable[Figure]:
    """How soon a client knows that a service is not asked."""
    p50 = median(_p50(run.suspended) for run in runs)
    p99 = median(_p99(run.suspended) for run in runs)
    yield Figure(name="refusal by an open breaker, p50", value=p50, unit="ms")
    yield Figure(name="refusal by an open breaker, p99", value=p99, unit="ms").at_most(SUSPENDED_MS)


def _flood(runs: list[GatewayRun]) -> Iterable[Figure]:
    yield Figure(name="flood of bad requests", value=median(run.flood.per_second for run in runs), unit="/s")
    taken = sum(run.flood.taken for run in runs)
    yield Figure(name="bad requests answered as if they were good", value=taken, unit="").at_most(0)
    for name, value in (("p50", _p50), ("p99", _p99)):
        yield Figure(
            name=f"polite clients' {name} beside the flood",
            value=median(value(run.flooded) for run in runs),
            unit="ms",
            ratio=median(value(run.flooded) / value(run.polite) for run in runs),
            ratio_to="without",
        )


def _per_second(run: GatewayRun, subject: str) -> float:
    return run.full[subject].answered.per_second


def _p50(asked: Asked) -> float:
    return asked.answered.p50_ms


def _p99(asked: Asked) -> float:
    return asked.answered.p99_ms
