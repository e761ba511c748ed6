"""A breaker's probes: an answer counts when it has ended, and gives its place back however it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.gateway.breakers import LEAST_CALLS, OPEN_SECONDS, PROBES_AT_ONCE, State
from api.gateway.connection import EdgeProtocol
from api.gateway.proxy import Proxy, Timeouts
from api.gateway.upstreams import Upstream as Asked
from tests.gateway.edge_door import Door
from tests.gateway.stand import NOBODY, Handler, TooSlow, Upstream, given_time, problem_of
from tests.gateway_peers import answer
from tests.http_server import serving
from tests.polling import until

SUSPENDED = (503, "gateway.upstream_suspended")
PATH = "/v1/products"
MORE_THAN_PROBES = PROBES_AT_ONCE + 2


@dataclass
class Probed:
    """The door before a service whose breaker's pause is just over."""

    door: Door
    asked: Asked
    client: aiohttp.ClientSession

    def state(self) -> State:
        return self.asked.breaker.state

    async def get(self) -> tuple[int, bytes]:
        async with self.client.get(PATH) as response:
            return response.status, await response.read()


@asynccontextmanager
async def probed(url: str, **timeouts: float) -> AsyncIterator[Probed]:
    now = 1_000.0
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        asked = Asked("products", (url,), 64, now=lambda: now)
        door = Door(Proxy(session, {"products": asked}, Timeouts(**timeouts)))
        for _ in range(LEAST_CALLS):
            asked.breaker.admit().failed()
        assert asked.breaker.state is State.OPEN
        now += OPEN_SECONDS
        door_url = await stack.enter_async_context(serving(door, protocol=EdgeProtocol))
        yield Probed(door, asked, await stack.enter_async_context(aiohttp.ClientSession(door_url)))


@pytest.fixture
async def before(upstream_url: str) -> AsyncIterator[Probed]:
    async with probed(upstream_url, total=60.0) as before:
        yield before


def begins(then: Handler, *, content_type: bytes = b"application/json") -> Handler:
    """A handler that sends a good head and some of a body, and then does as it is told."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await then(scope, receive, send)

    return handle


async def breaks_off(_: Scope, __: Receive, ___: Send) -> None:
    pass


async def well(_: Scope, __: Receive, send: Send) -> None:
    await answer(send, 200, b"")


async def assert_it_closes(before: Probed, upstream: Upstream) -> None:
    """With places free for as many as are needed."""
    assert before.state() is State.HALF_OPEN
    upstream.handle = well
    assert [await before.get() for _ in range(3)] == [(200, b"")] * 3
    assert before.state() is State.CLOSED


async def test_an_answer_under_way_is_no_success_yet(before: Probed, upstream: Upstream) -> None:
    go_on = asyncio.Event()

    async def ends(_: Scope, __: Receive, send: Send) -> None:
        await go_on.wait()
        await send({"type": "http.response.body", "body": b""})

    async with AsyncExitStack() as stack:
        stack.callback(go_on.set)
        upstream.handle = begins(ends)
        probes = [await stack.enter_async_context(before.client.get(PATH)) for _ in range(PROBES_AT_ONCE)]
        async with before.client.get(PATH) as response:
            assert await problem_of(response) == SUSPENDED
        assert before.state() is State.HALF_OPEN
        go_on.set()
        assert [await probe.read() for probe in probes] == [b"first"] * PROBES_AT_ONCE
    assert before.state() is State.CLOSED


async def test_a_probe_that_breaks_off_opens_it_again(before: Probed, upstream: Upstream) -> None:
    upstream.handle = begins(breaks_off)
    with pytest.raises(aiohttp.ClientPayloadError):
        await before.get()
    assert before.state() is State.OPEN


async def test_a_probe_that_reaches_nobody_is_told_so_and_not_that_it_was_not_tried() -> None:
    async with probed(NOBODY) as before, before.client.get(PATH) as response:
        assert await problem_of(response) == (503, "gateway.upstream_unavailable")
        assert before.state() is State.OPEN


async def test_a_probe_that_stalls_opens_it_again(upstream: Upstream, upstream_url: str) -> None:
    async def opens_it(seconds: float) -> None:
        async with probed(upstream_url, total=seconds) as before, before.client.get(PATH) as response:
            if response.status == 504:
                raise TooSlow
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
            assert before.state() is State.OPEN

    upstream.handle = begins(upstream.hang)
    await given_time(opens_it)


async def test_a_client_that_leaves_in_the_middle_gives_its_place_back(
    before: Probed, upstream: Upstream
) -> None:
    upstream.handle = begins(upstream.hang)
    for number in range(1, MORE_THAN_PROBES):

        async def has_left(number: int = number) -> bool:
            return upstream.left == number

        async with before.client.get(PATH) as response:
            assert await response.content.readany() == b"first"
        await until(has_left)
    await assert_it_closes(before, upstream)


async def test_a_client_that_does_not_take_its_answer_gives_its_place_back(
    upstream: Upstream, upstream_url: str
) -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"host", b"shop")],
        "client": ("127.0.0.1", 1),
    }

    async def stays() -> Message:
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    async def takes_no_piece(message: Message) -> None:
        if message.get("status") == 504:
            raise TooSlow
        if message.get("body") and message.get("more_body"):
            await stays()

    async def gives_its_place_back(seconds: float) -> None:
        upstream.handle = begins(upstream.hang)
        async with probed(upstream_url, total=seconds) as before:
            for _ in range(MORE_THAN_PROBES):
                await before.door(scope, stays, takes_no_piece)
            await assert_it_closes(before, upstream)

    await given_time(gives_its_place_back)


async def test_streams_of_events_hold_no_place(before: Probed, upstream: Upstream) -> None:
    upstream.handle = begins(upstream.hang, content_type=b"text/event-stream")
    async with AsyncExitStack() as stack:
        for _ in range(MORE_THAN_PROBES):
            response = await stack.enter_async_context(before.client.get(PATH))
            assert (response.status, await response.content.readany()) == (200, b"first")
        assert before.state() is State.CLOSED
