"""A connection that keeps the gateway waiting is cut, and holds nobody up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.gateway.edge_door import Edge, Hasty, StrictService, answers, edge_before
from tests.gateway.raw_requests import get, post
from tests.polling import until

OK = (200, "")
TIMEOUT = (408, "request.timeout")


@pytest.fixture(scope="module")
async def open_edge() -> AsyncIterator[Edge]:
    async with edge_before(StrictService(), Hasty) as edge:
        yield edge


@pytest.mark.parametrize(
    "sent",
    [b"GET /v1/carts/x HTTP/1.1\r\nHost: shop\r\n", b"GET ", get() + b"GET /v1/ca"],
    ids=["a head", "a first word", "the next head"],
)
async def test_a_head_that_does_not_end_is_cut(edge: Edge, sent: bytes) -> None:
    assert (await told(edge, sent))[-1] == TIMEOUT


async def test_a_head_that_trickles_is_cut(edge: Edge) -> None:
    assert await told(edge, b"GET /v1/carts/x HTTP/1.1\r\nHost: shop\r\nX-A: ", trickles=True) == [TIMEOUT]
    assert edge.service.begun == 0


async def test_a_connection_that_says_nothing_is_closed(edge: Edge) -> None:
    assert await edge.exchange(b"") == b""


@pytest.mark.parametrize("lines", ["Content-Length: 500", "Transfer-Encoding: chunked"])
async def test_a_body_that_stalls_is_cut(edge: Edge, lines: str) -> None:
    assert await told(edge, post(lines)) == [TIMEOUT]
    assert edge.service.whole == []


async def test_a_body_that_trickles_is_cut(edge: Edge) -> None:
    assert await told(edge, post("Content-Length: 100000"), trickles=True) == [TIMEOUT]
    assert edge.service.whole == []


async def test_who_does_not_read_the_answer_is_cut_and_holds_nobody(edge: Edge) -> None:
    edge.service.pieces = 1_000
    stuck = [await edge.connect() for _ in range(10)]
    for _, writer in stuck:
        writer.write(get("/v1/products"))
    await until(lambda: all_begun(edge, len(stuck)))
    assert await told(edge, get()) == [OK]
    await until(lambda: all_given_up(edge, len(stuck)))
    for _, writer in stuck:
        writer.close()


async def told(edge: Edge, sent: bytes, *, trickles: bool = False) -> list[tuple[int, str]]:
    """What comes back; sent once more where this machine slept so long that nothing seemed to be said."""
    found: list[tuple[int, str]] = []

    async def is_told() -> bool:
        # What is sent to a door that has closed meanwhile is answered by a reset.
        with suppress(ConnectionError):
            found[:] = answers(await (trickled(edge, sent) if trickles else edge.exchange(sent)))
        return bool(found)

    await until(is_told)
    return found


async def all_begun(edge: Edge, count: int) -> bool:
    return edge.service.begun >= count


async def all_given_up(edge: Edge, count: int) -> bool:
    return edge.service.left == count


async def trickled(edge: Edge, begin: bytes) -> bytes:
    """All that comes back while one byte follows another."""
    reader, writer = await edge.connect()

    async def trickle() -> None:
        writer.write(begin)
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    try:
        return await reader.read()
    finally:
        trickling.cancel()
        writer.close()
        await asyncio.gather(trickling, return_exceptions=True)
