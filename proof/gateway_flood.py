"""One process that floods a gateway with what it must refuse, until it is told to stop.

It reads a Flood from its standard input, says when it has begun, and at the next line tells what was Refused.
"""

import asyncio
import os
import sys
from collections import Counter
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import cast

import uvloop
from pydantic import BaseModel

from proof.gateway_load import PATH

BEGUN = "begun"
# Not the address of the others: what is counted by address is to tell them apart.
ADDRESS = "127.0.0.2"
LEAST_URGENT = 19
_HOST = b"Host: bench\r\n"
# Longer than any head may be with what else stands in it, by a little less.
_DOTS = b"." * 32_000
_UNKNOWN_KEYS = b"{" + b",".join(b'"%x":1' % number for number in range(100_000)) + b"}"
# Refused by the way in which they are written: no token is looked at for these. The last two once took a core
# each: a path whose dots were read again and again, and a body of which every key was told of.
_MALFORMED = (
    b"GET /v1/orders HTTP/9.9\r\n" + _HOST + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no HTTP at all\r\n\r\n",
    b"POST /v1/carts HTTP/1.1\r\n" + _HOST + b"Content-Length: 99999999999\r\n\r\n",
    b"POST /v1/carts HTTP/1.1\r\n" + _HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
    b"GET /v1/orders%2f..%2fadmin HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /v2/nothing/at/all HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /" + _DOTS + b"a HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"POST /v1/auth/refresh HTTP/1.1\r\n"
    + _HOST
    + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_UNKNOWN_KEYS)
    + _UNKNOWN_KEYS,
)


class Flood(BaseModel):
    """What to send where, besides what is malformed: tokens that somebody else has signed."""

    port: int
    core: int
    forged_tokens: list[str]
    connections: int = 16


class Refused(BaseModel):
    """How often each status came back; `taken` counts what was answered as if it were good."""

    seconds: float
    by_status: dict[str, int]

    @property
    def per_second(self) -> float:
        return sum(self.by_status.values()) / self.seconds

    @property
    def taken(self) -> int:
        return sum(count for status, count in self.by_status.items() if not status.startswith("4"))


class _Flooder(asyncio.Protocol):
    """One connection that sends on as soon as it is answered, and comes back when it is closed."""

    def __init__(self, requests: list[bytes], first: int, seen: Counter[str], port: int) -> None:
        self._requests = cycle(requests[first:] + requests[:first])
        self._seen = seen
        self._port = port
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lowered = head.lower()
        if len(body) < int(lowered.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0):
            return
        self._seen[head[9:12].decode("latin-1")] += 1
        self._received = b""
        if b"connection: close" in lowered:
            self._transport.close()
        else:
            self._transport.write(next(self._requests))

    def connection_lost(self, exc: Exception | None) -> None:
        self._return = asyncio.ensure_future(_connect(self, self._port))


async def _connect(flooder: _Flooder, port: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with suppress(OSError):
            await loop.create_connection(lambda: flooder, "127.0.0.1", port, local_addr=(ADDRESS, 0))
            return
        await asyncio.sleep(0.01)


async def _flood(flood: Flood) -> Refused:
    forged = [
        f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for token in flood.forged_tokens
    ]
    requests = [request for token in forged for request in (token, *_MALFORMED)]
    seen: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    for number in range(flood.connections):
        await _connect(_Flooder(requests, number % len(requests), seen, flood.port), flood.port)
    told = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), told.set)
    print(BEGUN, flush=True)
    started = loop.time()
    seen.clear()
    await told.wait()
    return Refused(seconds=loop.time() - started, by_status=dict(sorted(seen.items())))


def main() -> None:
    flood = Flood.model_validate_json(sys.stdin.readline())
    os.sched_setaffinity(0, {flood.core})
    # What it takes of the core that it shares must not be what slows the others down.
    os.nice(LEAST_URGENT)
    with suppress(OSError):
        # Where the kernel groups processes by session, it is the group's urgency that counts.
        Path("/proc/self/autogroup").write_text(str(LEAST_URGENT))
    print(uvloop.run(_flood(flood)).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
