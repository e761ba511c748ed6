"""A service that fails is left alone, and asked again by a few; what is not its fault does not count."""

import asyncio

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from api.problems import problem_response
from cli.status import breakers_of
from contracts.errors import Unavailable
from tests.gateway.stand import (
    ISSUER,
    NOBODY,
    Handler,
    TooSlow,
    Upstream,
    gateway_before,
    given_time,
    problem_of,
    raw_answer,
    settings,
)
from tests.gateway_peers import answer, bearer
from tests.polling import until

SUSPENDED = (503, "gateway.upstream_suspended")
CALLS = 20


def answers(status: int) -> Handler:
    async def handle(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, status, b"")

    return handle


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as a service of ours whose own peer is down."""
    await problem_response(Unavailable("the catalog cannot be asked").refusal)(scope, receive, send)


async def get(client: aiohttp.ClientSession, path: str = "/v1/products") -> tuple[int, bytes]:
    async with client.get(path) as response:
        return response.status, await response.read()


async def statuses(client: aiohttp.ClientSession, count: int) -> list[int]:
    return [(await get(client))[0] for _ in range(count)]


async def breaks_off(_: Scope, __: Receive, send: Send) -> None:
    """Answer well, and stop in the middle of the body."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})


async def falls_short(_: Scope, __: Receive, send: Send) -> None:
    """Say less than was announced, and so little that the gateway waits for all of it."""
    headers = [(b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})


async def assert_suspended(client: aiohttp.ClientSession) -> None:
    async with client.get("/v1/products") as response:
        assert await problem_of(response) == SUSPENDED
        assert 1 <= int(response.headers["retry-after"]) <= 5


async def test_a_service_that_fails_is_left_alone_and_told_of(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.handle = answers(500)
    assert await statuses(client, CALLS) == [500] * CALLS
    for _ in range(3):
        await assert_suspended(client)
    assert len(upstream.requests) == CALLS
    told = await asyncio.to_thread(breakers_of, str(client._base_url).rstrip("/"))
    assert told is not None
    assert [service for service, state in told.items() if state != "closed"] == ["products"]


async def test_a_service_beside_one_that_fails_is_asked(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.handle = answers(500)
    await statuses(client, CALLS)
    upstream.handle = upstream.echo
    assert (await get(client, "/v1/carts/x"))[0] == 200


async def test_while_it_is_open_nobodys_body_is_waited_for(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.handle = answers(500)
    for _ in range(CALLS):
        await get(client, "/v1/carts/x")
    head = b"POST /v1/carts HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\n"
    told = await raw_answer(client, head)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert SUSPENDED[1].encode() in told


async def test_what_the_staff_cannot_do_while_it_is_open_is_not_written_down(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.handle = answers(500)
    await statuses(client, CALLS)
    headers = bearer(ISSUER.token(roles=["staff"], sub="staff-1"))
    async with client.delete("/v1/products/moka", headers=headers) as response:
        assert await problem_of(response) == SUSPENDED
    assert not upstream.noted


async def test_a_service_that_takes_too_long_fails(upstream: Upstream, upstream_url: str) -> None:
    upstream.handle = upstream.hang
    async with gateway_before(settings(upstream_url), total=0.2) as client:
        slow = await asyncio.gather(*(get(client) for _ in range(CALLS)))
        assert {status for status, _ in slow} == {504}
        await assert_suspended(client)


async def test_a_service_that_breaks_off_in_the_middle_of_its_answers_fails(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.handle = breaks_off
    for _ in range(CALLS):
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(client)
    await assert_suspended(client)
    assert len(upstream.requests) == CALLS


async def test_a_service_that_says_less_than_it_announced_fails(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    upstream.handle = falls_short
    assert await statuses(client, CALLS) == [503] * CALLS
    await assert_suspended(client)


async def test_a_service_that_stalls_in_the_middle_of_its_answers_fails(
    upstream: Upstream, upstream_url: str
) -> None:
    async def stalls(scope: Scope, receive: Receive, send: Send) -> None:
        await breaks_off(scope, receive, send)
        await upstream.hang(scope, receive, send)

    async def all_are_cut(seconds: float) -> None:
        async with gateway_before(settings(upstream_url), total=seconds) as client:
            cut = await asyncio.gather(*(get(client) for _ in range(CALLS)), return_exceptions=True)
            if any(isinstance(answer, tuple) and answer[0] == 504 for answer in cut):
                raise TooSlow
            assert {type(error) for error in cut} == {aiohttp.ClientPayloadError}
            await assert_suspended(client)

    upstream.handle = stalls
    await given_time(all_are_cut)


async def test_a_service_whose_answers_end_well_does_not_fail(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def in_pieces(_: Scope, __: Receive, send: Send) -> None:
        await breaks_off(_, __, send)
        await send({"type": "http.response.body", "body": b" and last"})

    upstream.handle = in_pieces
    assert [await get(client) for _ in range(CALLS)] == [(200, b"first and last")] * CALLS
    upstream.handle = answers(500)
    # Of the last ten seconds' answers, half have failed with the last of these only.
    assert await statuses(client, CALLS) == [500] * CALLS
    await assert_suspended(client)


async def test_a_service_that_takes_no_connections_fails(upstream_url: str) -> None:
    async with gateway_before(settings(upstream_url, products_url=NOBODY)) as client:
        await statuses(client, CALLS)
        await assert_suspended(client)


@pytest.mark.parametrize("handle", [answers(404), answers(429), answers(501), busy])
async def test_a_service_that_refuses_does_not_fail(
    client: aiohttp.ClientSession, upstream: Upstream, handle: Handler
) -> None:
    upstream.handle = handle
    await statuses(client, CALLS + 5)
    assert len(upstream.requests) == CALLS + 5


async def test_clients_that_leave_do_not_count(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    upstream.handle = upstream.hang
    leaving = [asyncio.create_task(client.get("/v1/products")) for _ in range(CALLS + 5)]

    async def all_came() -> bool:
        return len(upstream.requests) == len(leaving)

    async def all_left() -> bool:
        return upstream.left == len(leaving)

    await until(all_came)
    for request in leaving:
        request.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    await until(all_left)
    upstream.handle = upstream.echo
    assert (await get(client))[0] == 200


async def test_clients_that_leave_in_the_middle_of_an_answer_do_not_count(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def goes_on(scope: Scope, receive: Receive, send: Send) -> None:
        await breaks_off(scope, receive, send)
        await upstream.hang(scope, receive, send)

    async def read_a_little() -> None:
        async with client.get("/v1/products") as response:
            assert await response.content.readany() == b"first"
            # As the block ends, so does the connection: its answer has not been read to the end.

    async def all_left() -> bool:
        return upstream.left == CALLS + 5

    upstream.handle = goes_on
    await asyncio.gather(*(read_a_little() for _ in range(CALLS + 5)))
    await until(all_left)
    upstream.handle = upstream.echo
    assert (await get(client))[0] == 200


async def test_after_the_pause_three_at_once_find_out_whether_it_works(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    released = asyncio.Event()

    async def recovers(_: Scope, __: Receive, send: Send) -> None:
        await released.wait()
        await answer(send, 200, b"")

    upstream.handle = answers(500)
    await statuses(client, CALLS)
    upstream.requests.clear()
    upstream.handle = recovers
    asked: list[asyncio.Task[tuple[int, bytes]]] = []

    async def three_came() -> bool:
        """Every poll is one more client, so the first three after the pause are let through."""
        asked.append(asyncio.create_task(get(client)))
        await asyncio.wait(asked, timeout=0.1)
        return len(upstream.requests) == 3

    await until(three_came)
    assert {status for status, _ in await asyncio.gather(*(get(client) for _ in range(5)))} == {503}
    assert len(upstream.requests) == 3
    released.set()
    found = [status for status, _ in await asyncio.gather(*asked)]
    assert found.count(200) == 3
    assert await statuses(client, 5) == [200] * 5
