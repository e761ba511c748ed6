"""A load generator: a process that prepares, waits for the word, sends, and tells what came of it.

It reads a Load from its standard input, writes `ready` once warm, begins at the next line, writes a Sample.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from enum import StrEnum
from itertools import takewhile

import uvloop
from pydantic import BaseModel

from proof.buyers import PREPARED_AT_ONCE, Buyer, CheckoutBuyer, FloorBuyer, GatewayBuyer, RequestFailed
from proof.percentiles import percentiles

READY = "ready"


class Subject(StrEnum):
    """What the load is put on."""

    FLOOR = "floor"
    CHECKOUT = "checkout"
    FLOW = "flow"


class Load(BaseModel):
    """So many requests by so many clients, each of which waits for its answer.

    No request begins after `seconds`: a slow machine sends fewer, and the benchmark still ends. With a `rate`
    so many begin a second, whether or not those before were answered: how slow answers are changes no load.
    """

    subject: Subject
    clients: int
    requests: int
    seconds: float
    warm_up: int
    rate: float | None = None
    gateway: str
    skus: tuple[str, ...]
    temporal_address: str
    temporal_namespace: str


class Sample(BaseModel):
    """What came of it: latencies are of the requests that ended well."""

    completed: int
    failures: dict[str, int]
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.completed / self.seconds

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


def sample_of(latencies: list[float], failures: dict[str, int], seconds: float) -> Sample:
    """Sum up, from latencies in seconds."""
    found = percentiles(latencies)
    p50, p95, p99 = (round(found[index] * 1000, 2) for index in (49, 94, 98))
    return Sample(
        completed=len(latencies), failures=failures, seconds=seconds, p50_ms=p50, p95_ms=p95, p99_ms=p99
    )


def buyer_for(load: Load) -> Buyer:
    match load.subject:
        case Subject.FLOOR:
            return FloorBuyer(load.temporal_address, load.temporal_namespace)
        case Subject.CHECKOUT:
            return CheckoutBuyer(load.gateway, load.skus)
        case Subject.FLOW:
            return GatewayBuyer(load.gateway, load.skus)


async def generate(load: Load, go: Callable[[], Awaitable[None]]) -> Sample:
    """Prepare and warm up, wait for the word, then send as fast as the answers come.

    A failure counts in the warm-up too; its latencies do not.
    """
    latencies: list[float] = []
    failures: Counter[str] = Counter()
    async with buyer_for(load) as buyer:

        async def request(due: float | None = None) -> None:
            began = due or time.perf_counter()
            try:
                await buyer.buy()
            except RequestFailed as failure:
                failures[str(failure)] += 1
            else:
                latencies.append(time.perf_counter() - began)

        await _many(range(load.warm_up + load.requests), PREPARED_AT_ONCE, buyer.prepare)
        await _many(range(load.warm_up), load.clients, request)
        await go()
        latencies.clear()
        began = time.perf_counter()
        if load.rate is None:
            await _many(_until(began + load.seconds, load.requests), load.clients, request)
        else:
            await _at_rate(load.rate, min(load.requests, round(load.rate * load.seconds)), request)
        return sample_of(latencies, dict(failures), time.perf_counter() - began)


def _until(deadline: float, count: int) -> Iterator[int]:
    """So many numbers, as long as there is time."""
    return takewhile(lambda _: time.perf_counter() < deadline, range(count))


async def _at_rate(rate: float, count: int, do: Callable[[float], Coroutine[None, None, None]]) -> None:
    """Do it so many times at even distances; each is told when it was due, from when its time counts."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as doing:
        for number in range(count):
            due = began + number / rate
            await asyncio.sleep(due - time.perf_counter())
            doing.create_task(do(due))


async def _many(numbers: Iterable[int], at_once: int, do: Callable[[], Awaitable[None]]) -> None:
    """Do it once a number, by so many at once."""
    waiting = iter(numbers)

    async def client() -> None:
        for _ in waiting:
            await do()

    async with asyncio.TaskGroup() as clients:
        for _ in range(at_once):
            clients.create_task(client())


async def _main() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def go() -> None:
        print(READY, flush=True)
        await lines.readline()

    sample = await generate(Load.model_validate_json(await lines.readline()), go)
    print(sample.model_dump_json(), flush=True)
    # It lives until nobody needs its CPU time any more.
    await lines.read()


if __name__ == "__main__":
    uvloop.run(_main())
