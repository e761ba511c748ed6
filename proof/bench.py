"""The benchmark from its beginning to its end, in one run on one machine."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from proof.bench_platform import BenchPlatform, bench_platform
from proof.children import child
from proof.events_bench import EventsBench
from proof.floor import QUEUES
from proof.gateway_bench import GatewayExtent, measure_gateway
from proof.load import Subject
from proof.machine import this_machine
from proof.measured import Measured, Memory
from proof.meter import memory_of
from proof.relay_bench import RelayExtent, measure_relay
from proof.report import ALONE, CHECKOUT_CLIENTS, FLOW_CLIENTS
from proof.sending import Sending, Tell, Volume

START_SECONDS = 30.0
ONE_SECONDS = 60.0


class Part(StrEnum):
    """What can be measured on its own."""

    FLOOR = "floor"
    CHECKOUT = "checkout"
    FLOW = "flow"
    EVENTS = "events"
    RELAY = "relay"
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
    half_seconds: float
    relay: RelayExtent
    gateway: GatewayExtent


FULL = Extent(
    runs=3,
    warm_up=15,
    alone=80,
    alone_seconds=10,
    crowded={Subject.FLOOR: 800, Subject.CHECKOUT: 640, Subject.FLOW: 400},
    crowded_seconds=16,
    half_seconds=20,
    relay=RelayExtent(runs=3, relayed=20_000, backlog=10_000),
    gateway=GatewayExtent(runs=5, seconds=30),
)
QUICK = Extent(
    runs=1,
    warm_up=10,
    alone=50,
    alone_seconds=6,
    crowded={Subject.FLOOR: 480, Subject.CHECKOUT: 384, Subject.FLOW: 240},
    crowded_seconds=10,
    half_seconds=12,
    relay=RelayExtent(runs=1, relayed=20_000, backlog=10_000),
    gateway=GatewayExtent(runs=1, seconds=6),
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
    if set(parts) - {Part.GATEWAY, Part.RELAY}:
        async with bench_platform(data) as platform:
            await _Bench(platform, extent, measured, tell).run(parts)
    if Part.RELAY in parts:
        measured.relay = await measure_relay(extent.relay, tell)
    if Part.GATEWAY in parts:
        measured.gateway = await measure_gateway(extent.gateway, tell)
    return measured


class _Bench:
    """One benchmark on one platform; what it finds goes into `measured` as it is found."""

    def __init__(self, platform: BenchPlatform, extent: Extent, measured: Measured, tell: Tell) -> None:
        self._platform = platform
        self._extent = extent
        self._measured = measured
        self._tell = tell
        self._sending = Sending(platform, tell)

    async def run(self, parts: Collection[Part]) -> None:
        self._tell("starting a platform on new data")
        await self._platform.up()
        self._tell("filling the shop")
        await self._platform.fill()
        if Part.MEMORY in parts:
            one = Volume(clients=ALONE, requests=1, seconds=ONE_SECONDS, warm_up=0)
            await self._sending.send(0, Subject.FLOW, one)
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
        if Part.EVENTS in parts:
            events = EventsBench(
                self._platform,
                self._sending,
                self._crowded(Subject.CHECKOUT, CHECKOUT_CLIENTS),
                self._extent.half_seconds,
                self._tell,
            )
            self._measured.turns = await events.run(self._extent.runs)

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
        volume = self._alone if clients == ALONE else self._crowded(subject, clients)
        phase = await self._sending.send(run, subject, volume)
        self._measured.phases.append(phase)
        self._sending.tell(phase)

    @property
    def _alone(self) -> Volume:
        extent = self._extent
        return Volume(
            clients=ALONE, requests=extent.alone, seconds=extent.alone_seconds, warm_up=extent.warm_up
        )

    def _crowded(self, subject: Subject, clients: int) -> Volume:
        extent = self._extent
        return Volume(
            clients=clients,
            requests=extent.crowded[subject],
            seconds=extent.crowded_seconds,
            warm_up=clients,
        )

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
                self._sending.others[queue] = worker.pid
            try:
                yield
            finally:
                self._sending.others.clear()
