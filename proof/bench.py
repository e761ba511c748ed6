"""The benchmark from its beginning to its end, in one run on one machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from proof.bench_platform import SKUS, BenchPlatform, bench_platform
from proof.children import child
from proof.errors import CannotMeasure
from proof.floor import QUEUES
from proof.gateway_bench import measure_gateway
from proof.load import READY, Load, Sample, Subject
from proof.machine import this_machine
from proof.meter import cpu_meter, memory_of
from proof.report import ALONE, CHECKOUT_CLIENTS, FLOW_CLIENTS, NOISE, Measured, Memory, Phase

START_SECONDS = 30.0
PHASE_SECONDS = 240.0
# What the load before has left to do in the background must not burden the next.
IDLE_CORES = 0.1
IDLE_SECONDS = 0.5
SETTLE_SECONDS = 10.0

Tell = Callable[[str], None]


class Part(StrEnum):
    """What can be measured on its own."""

    FLOOR = "floor"
    CHECKOUT = "checkout"
    FLOW = "flow"
    GATEWAY = "gateway"
    UP = "up"
    MEMORY = "memory"


class Extent(BaseModel):
    """How much is sent: enough for figures that stay, and an end that can be waited for."""

    runs: int
    warm_up: int
    alone: int
    alone_seconds: float
    crowded: dict[Subject, int]
    crowded_seconds: float
    gateway_seconds: float


FULL = Extent(
    runs=3,
    warm_up=15,
    alone=80,
    alone_seconds=10,
    crowded={Subject.FLOOR: 800, Subject.CHECKOUT: 640, Subject.FLOW: 400},
    crowded_seconds=16,
    gateway_seconds=5,
)
QUICK = Extent(
    runs=1,
    warm_up=10,
    alone=50,
    alone_seconds=6,
    crowded={Subject.FLOOR: 480, Subject.CHECKOUT: 384, Subject.FLOW: 240},
    crowded_seconds=10,
    gateway_seconds=3,
)

# In the order of a run: the floor and what is compared with it take turns.
_LOADS = (
    (Part.FLOOR, Subject.FLOOR, ALONE),
    (Part.CHECKOUT, Subject.CHECKOUT, ALONE),
    (Part.FLOW, Subject.FLOW, ALONE),
    (Part.FLOOR, Subject.FLOOR, CHECKOUT_CLIENTS),
    (Part.CHECKOUT, Subject.CHECKOUT, CHECKOUT_CLIENTS),
    (Part.FLOW, Subject.FLOW, FLOW_CLIENTS),
)


async def measure(parts: Collection[Part], *, quick: bool, data: Path | None, tell: Tell) -> Measured:
    """Measure these parts on a platform of its own, which is gone afterwards; CannotMeasure if it fails.

    A data folder that is given is kept, with its logs; else a temporary one is used.
    """
    extent = QUICK if quick else FULL
    measured = Measured(machine=this_machine(), quick=quick)
    if set(parts) - {Part.GATEWAY}:
        async with bench_platform(data) as platform:
            await _Bench(platform, extent, measured, tell).run(parts)
    if Part.GATEWAY in parts:
        tell(f"gateway alone: {extent.runs} x {extent.gateway_seconds:.0f} s")
        measured.gateway = await measure_gateway(extent.gateway_seconds, extent.runs)
        tell(f"  {measured.gateway.requests_per_second:.0f}/s")
    return measured


class _Bench:
    """One benchmark on one platform; what it finds goes into `measured` as it is found."""

    def __init__(self, platform: BenchPlatform, extent: Extent, measured: Measured, tell: Tell) -> None:
        self._platform = platform
        self._extent = extent
        self._measured = measured
        self._tell = tell
        self._floor: dict[str, int] = {}

    async def run(self, parts: Collection[Part]) -> None:
        self._tell("starting a platform on new data")
        await self._platform.up()
        self._tell("filling the shop")
        await self._platform.fill()
        if Part.MEMORY in parts:
            await self._load(0, Subject.FLOW, ALONE, requests=1, seconds=PHASE_SECONDS, warm_up=0)
            self._measured.memory = self._memory("after the demo")
        if Part.UP in parts:
            await self._measure_up()
        loads = [(subject, clients) for part, subject, clients in _LOADS if part in parts]
        if loads:
            async with self._floor_workers():
                for run in range(1, self._extent.runs + 1):
                    for subject, clients in loads:
                        await self._measure_load(run, subject, clients)
        if Part.MEMORY in parts and loads:
            self._measured.memory_after_load = self._memory("after the load")

    def _memory(self, when: str) -> Memory:
        memory = Memory(by_process=memory_of(self._platform.pids))
        self._tell(f"memory {when}: {memory.total / 1e6:.0f} MB")
        return memory

    async def _measure_up(self) -> None:
        for run in range(1, self._extent.runs + 1):
            await self._platform.down()
            seconds = await self._platform.up()
            self._measured.up_seconds.append(seconds)
            self._tell(f"run {run}  up on existing data: {seconds:.1f} s")

    async def _measure_load(self, run: int, subject: Subject, clients: int) -> None:
        alone = clients == ALONE
        phase = await self._load(
            run,
            subject,
            clients,
            requests=self._extent.alone if alone else self._extent.crowded[subject],
            seconds=self._extent.alone_seconds if alone else self._extent.crowded_seconds,
            warm_up=self._extent.warm_up if alone else clients,
        )
        self._measured.phases.append(phase)
        sample = phase.sample
        figures = f"p50 {sample.p50_ms:6.1f} ms  p95 {sample.p95_ms:6.1f} ms  {sample.per_second:6.1f}/s"
        failed = f"  {sample.failed} failed: {sample.failures}" if sample.failed else ""
        others = f"  others use {phase.cpu.others_cores:.1f} cores" if phase.cpu.others_cores > NOISE else ""
        self._tell(f"run {run}  {subject:<8} {clients:>2} clients  {figures}{failed}{others}")

    async def _load(
        self, run: int, subject: Subject, clients: int, *, requests: int, seconds: float, warm_up: int
    ) -> Phase:
        await self._settle()
        state = self._platform.state
        load = Load(
            subject=subject,
            clients=clients,
            requests=requests,
            seconds=seconds,
            warm_up=warm_up,
            gateway=state.gateway,
            skus=SKUS,
            temporal_address=state.temporal_address,
            temporal_namespace=state.temporal_namespace,
        )
        async with child("proof.load") as generator:
            await generator.tell(load.model_dump_json())
            if (said := await generator.hear(PHASE_SECONDS)) != READY:
                raise CannotMeasure(f"the load generator said {said!r}")
            cpu = cpu_meter(self._platform.pids | self._floor | {"load generator": generator.pid})
            await generator.tell("go")
            sample = Sample.model_validate_json(await generator.hear(PHASE_SECONDS))
            phase = Phase(run=run, subject=subject, clients=clients, sample=sample, cpu=cpu())
        if not sample.completed:
            raise CannotMeasure(f"no {subject} request ended well: {sample.failures}")
        return phase

    async def _settle(self) -> None:
        """Wait until the platform and the floor have come to rest, for a bounded time."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            read = cpu_meter(self._platform.pids | self._floor)
            await asyncio.sleep(IDLE_SECONDS)
            if read().cores < IDLE_CORES:
                return

    @asynccontextmanager
    async def _floor_workers(self) -> AsyncIterator[None]:
        """The floor's workers, each a process, as in production; they idle while others are measured."""
        state = self._platform.state
        async with AsyncExitStack() as workers:
            for queue in QUEUES:
                worker = await workers.enter_async_context(
                    child("proof.floor_worker", state.temporal_address, state.temporal_namespace, queue)
                )
                await worker.hear(START_SECONDS)
                self._floor[queue] = worker.pid
            try:
                yield
            finally:
                self._floor.clear()
