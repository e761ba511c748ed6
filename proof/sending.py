"""Sends loads at a platform, one after the other, each from a process of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pydantic import BaseModel

from proof.bench_platform import SKUS, BenchPlatform
from proof.children import child
from proof.errors import CannotMeasure
from proof.load import READY, Load, Sample, Subject
from proof.measured import Phase
from proof.meter import cpu_meter
from proof.report import NOISE

PHASE_SECONDS = 240.0
# What the load before has left to do in the background must not burden the next.
IDLE_CORES = 0.2
IDLE_SECONDS = 0.5
SETTLE_SECONDS = 10.0

Tell = Callable[[str], None]


class Volume(BaseModel):
    """How much is sent, and for how long at most; without a rate by so many clients that wait."""

    clients: int
    requests: int
    seconds: float
    warm_up: int
    rate: float | None = None


class Sending:
    """What is sent at one platform; `others` are processes that are measured with it, by name."""

    def __init__(self, platform: BenchPlatform, tell: Tell) -> None:
        self._platform = platform
        self._tell = tell
        self.others: dict[str, int] = {}

    async def send(
        self, run: int, subject: Subject, volume: Volume, at_go: Callable[[], Awaitable[None]] | None = None
    ) -> Phase:
        """One load from a platform at rest to its last answer; `at_go` is awaited right before it begins."""
        await self._settle()
        state = self._platform.state
        load = Load(
            subject=subject,
            gateway=state.gateway,
            skus=SKUS,
            temporal_address=state.temporal_address,
            temporal_namespace=state.temporal_namespace,
            **volume.model_dump(),
        )
        async with child("proof.load") as generator:
            await generator.tell(load.model_dump_json())
            if (said := await generator.hear(PHASE_SECONDS)) != READY:
                raise CannotMeasure(f"the load generator said {said!r}")
            if at_go is not None:
                await at_go()
            cpu = cpu_meter(self._platform.pids | self.others | {"load generator": generator.pid})
            await generator.tell("go")
            sample = Sample.model_validate_json(await generator.hear(PHASE_SECONDS))
            phase = Phase(
                run=run, subject=subject, clients=volume.clients, rate=volume.rate, sample=sample, cpu=cpu()
            )
        if not sample.completed:
            raise CannotMeasure(f"no {subject} request ended well: {sample.failures}")
        return phase

    def tell(self, phase: Phase, more: str = "") -> None:
        """Say in one line what came of a load."""
        sample = phase.sample
        how = f"{phase.clients:>2} clients" if phase.rate is None else f"{phase.rate:.1f} a second"
        figures = f"p50 {sample.p50_ms:6.1f} ms  p95 {sample.p95_ms:6.1f} ms  {sample.per_second:6.1f}/s"
        failed = f"  {sample.failed} failed: {sample.failures}" if sample.failed else ""
        others = f"  others use {phase.cpu.others_cores:.1f} cores" if phase.cpu.others_cores > NOISE else ""
        self._tell(f"run {phase.run}  {phase.subject:<8} {how:<12} {figures}{more}{failed}{others}")

    async def _settle(self) -> None:
        """Wait until the platform and the others have come to rest, for a bounded time."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            read = cpu_meter(self._platform.pids | self.others)
            await asyncio.sleep(IDLE_SECONDS)
            if read().cores < IDLE_CORES:
                return
