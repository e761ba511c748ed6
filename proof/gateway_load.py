"""One process that asks a gateway: as fast as it answers, or at a fixed rate whether it answers or not.

It reads a Load from its standard input, says when it is warm, and writes what was Answered.
"""

import asyncio
import os
import selectors
import sys
import time
from collections import deque
from http import HTTPStatus
from itertools import cycle
from typing import cast

import uvloop
from pydantic import BaseModel

from proof.percentiles import percentiles

PATH = "/v1/orders"
# Of a service that nobody serves: its breaker is open before the warm-up is over.
BROKEN_PATH = "/v1/inventory/MUG"
WARM = "warm"
WARM_UP_SECONDS = 0.5


class Load(BaseModel):
    """What to send where, and the status that each answer must have.

    Without a rate each connection waits for its answer before it sends again.
    """

    port: int
    core: int
    seconds: float
    tokens: list[str]
    connections: int = 32
    rate: float | None = None
    path: str = PATH
    status: int = HTTPStatus.OK


class Answered(BaseModel):
    """What came back after the warm-up; with a rate a latency counts from when its request was due."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class _Generator:
    """The requests of one load, and what became of them."""

    def __init__(self, load: Load) -> None:
        self._requests = cycle(
            f"GET {load.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            for token in load.tokens
        )
        self._load = load
        self.good = b"HTTP/1.1 %d " % load.status
        self._idle: deque[_Connection] = deque()
        # When those are due, or were, that found no connection free.
        self._due: deque[float] = deque()
        self._next_due = 0.0
        self._over = False
        self.milliseconds: list[float] = []
        self.errors = 0

    async def run(self) -> Answered:
        loop, load = asyncio.get_running_loop(), self._load
        for _ in range(load.connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", load.port)
        if load.rate is not None:
            self._next_due = loop.time()
            self._tick()
        await asyncio.sleep(WARM_UP_SECONDS)
        print(WARM, flush=True)
        self.milliseconds.clear()
        started = time.perf_counter()
        await asyncio.sleep(load.seconds)
        self._over = True
        seconds = time.perf_counter() - started
        known = percentiles(self.milliseconds)
        return Answered(
            requests=len(self.milliseconds),
            seconds=seconds,
            p50_ms=round(known[49], 3),
            p99_ms=round(known[98], 3),
            errors=self.errors + (not self.milliseconds),
        )

    def ready(self, connection: "_Connection") -> None:
        """The connection may take the next request."""
        if self._over:
            return
        if self._load.rate is None:
            connection.send(next(self._requests), time.perf_counter())
        elif self._due:
            connection.send(next(self._requests), self._due.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        self.errors += not self._over

    def _tick(self) -> None:
        """Send what is due: the loop's clock and `perf_counter` are one on Linux."""
        assert self._load.rate is not None
        loop = asyncio.get_running_loop()
        while self._next_due <= loop.time():
            if self._idle:
                self._idle.popleft().send(next(self._requests), self._next_due)
            else:
                self._due.append(self._next_due)
            self._next_due += 1 / self._load.rate
        if not self._over:
            loop.call_at(self._next_due, self._tick)


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its whole answer, the next request."""

    def __init__(self, generator: _Generator) -> None:
        self._generator = generator
        self._received = b""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        self._generator.ready(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._generator.milliseconds.append((time.perf_counter() - self._since) * 1000)
        self._generator.errors += not head.startswith(self._generator.good)
        self._received = b""
        self._generator.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._generator.lost()

    def send(self, request: bytes, since: float) -> None:
        self._since = since
        self._transport.write(request)


def _loop(rate: float | None) -> asyncio.AbstractEventLoop:
    """At a fixed rate one that sleeps to the microsecond: uvloop's timers and epoll's go by milliseconds."""
    if rate is None:
        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main() -> None:
    load = Load.model_validate_json(sys.stdin.readline())
    os.sched_setaffinity(0, {load.core})
    with asyncio.Runner(loop_factory=lambda: _loop(load.rate)) as runner:
        print(runner.run(_Generator(load).run()).model_dump_json(), flush=True)
    # Until it is ended: what it has used can be read only while it is there.
    sys.stdin.read()


if __name__ == "__main__":
    main()
