"""The edge's own side of a connection, and a service behind it that reads strictly, with another parser."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import aiohttp
import h11
from starlette.types import Receive, Scope, Send

from api.gateway.addresses import Addresses
from api.gateway.client import Client
from api.gateway.connection import EdgeProtocol
from api.gateway.errors import ClientLeft, refusal_response
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead
from api.gateway.paths import refuse_ambiguous
from api.gateway.patience import Patience
from api.gateway.proxy import Proxy, Timeouts
from api.gateway.routes import ROUTES, RouteTable
from api.gateway.upstreams import Upstream
from contracts.errors import DomainError
from contracts.topology import SERVICES
from tests.http_server import serving

DEADLINE_SECONDS = 60.0
LIMIT = 4_000_000
LONG_BODY = b"0123456789abcdef" * 4_096


class Brief(EdgeProtocol):
    """A connection that ends with its last answer, and waits for everything else."""

    patience: ClassVar[Patience] = Patience(
        head=60.0, idle=0.1, body=60.0, answer=60.0, linger=60.0, look=0.02
    )


class Hasty(EdgeProtocol):
    """A connection that loses its patience within a test's time."""

    patience: ClassVar[Patience] = Patience(
        head=0.4, idle=0.1, body=0.4, answer=0.5, linger=60.0, look=0.02, answer_bytes_per_second=100_000
    )


@dataclass(frozen=True)
class Seen:
    """One whole request, as the service read it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class StrictService:
    """Answers whole requests with their body; what is no request, or never became whole, is kept apart."""

    whole: list[Seen] = field(default_factory=list)
    begun: int = 0
    unreadable: list[str] = field(default_factory=list)
    pieces: int = 0
    left: int = 0

    def forget(self) -> None:
        self.whole, self.unreadable = [], []
        self.begun = self.left = self.pieces = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while (seen := await self._request(connection, reader)) is not None:
                self.whole.append(seen)
                for event in self._answer(seen):
                    writer.write(connection.send(event) or b"")
                    await writer.drain()
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return
                connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            # A sender that leaves amidst a body is no riddle: nothing of it was carried out.
            if connection.their_state is not h11.ERROR or not reader.at_eof():
                self.unreadable.append(str(error))
        except ConnectionError:
            self.left += 1
        finally:
            writer.close()

    async def _request(self, connection: h11.Connection, reader: asyncio.StreamReader) -> Seen | None:
        head: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Request):
                head = event
                self.begun += 1
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                headers = {name.decode(): value.decode() for name, value in head.headers}
                return Seen(head.method.decode(), head.target.decode(), headers, body)
            else:
                return None

    def _answer(self, seen: Seen) -> list[h11.Event]:
        if seen.target == "/v1/products":
            pieces: list[h11.Event] = [h11.Data(data=LONG_BODY)] * self.pieces
            return [h11.Response(status_code=200, headers=[]), *pieces, h11.EndOfMessage()]
        length = str(len(seen.body))
        answer = [h11.Response(status_code=200, headers=[("content-length", length)])]
        return [*answer, h11.Data(data=seen.body), h11.EndOfMessage()]


class Door:
    """What a connection hands over goes the gateway's way, without what needs other servers."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._table = RouteTable(ROUTES)
        self._addresses = Addresses("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        exchange = Exchange(scope, self._addresses.of(scope))
        try:
            head = RequestHead(scope, exchange.address)
            refuse_ambiguous(scope["raw_path"])
            route = self._table.match(exchange.method, scope["path"])
            client = Client(receive, head, max_body_bytes=LIMIT)
            await self._proxy.forward(exchange, route, head, client, send)
        except ClientLeft:
            pass
        except DomainError as error:
            await refusal_response(error)(scope, receive, send)


@dataclass(frozen=True)
class Edge:
    """The door's port and the service behind it."""

    port: int
    service: StrictService

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, *packets: bytes) -> bytes:
        """All that comes back on a connection of its own, until the door closes it."""
        reader, writer = await self.connect()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                for packet in packets:
                    writer.write(packet)
                    await writer.drain()
                    # The door runs in this loop: it reads this packet before the next one is written.
                    for _ in range(5):
                        await asyncio.sleep(0)
                return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def edge_before(service: StrictService, protocol: type[EdgeProtocol]) -> AsyncIterator[Edge]:
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession(auto_decompress=False) as session:
        upstreams = {one.name: Upstream(one.name, (service_url,), 64) for one in SERVICES}
        proxy = Proxy(session, upstreams, Timeouts(connect=60.0, first_byte=60.0, total=60.0))
        async with serving(Door(proxy), protocol=protocol) as url:
            yield Edge(int(url.rpartition(":")[2]), service)


def answers(data: bytes) -> list[tuple[int, str]]:
    """Status and problem code of each answer in what came back; one that is not whole raises."""
    found: list[tuple[int, str]] = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
        length = int(headers.get(b"content-length", b"0"))
        body, data = data[:length], data[length:]
        assert len(body) == length, "an answer is not whole"
        is_problem = headers.get(b"content-type") == b"application/problem+json"
        found.append((int(lines[0].split(b" ")[1]), json.loads(body)["code"] if is_problem else ""))
    return found
