"""A connection that keeps the gateway waiting is cut, and holds nobody up."""

import asyncio

import pytest

from tests.gateway.edge_door import Edge, answers
from tests.gateway.raw_requests import get, post
from tests.polling import until

OK = (200, "")
TIMEOUT = (408, "request.timeout")


@pytest.mark.parametrize(
    "sent",
    [b"GET /v1/carts/x HTTP/1.1\r\nHost: shop\r\n", b"GET ", get() + b"GET /v1/ca"],
    ids=["a head", "a first word", "the next head"],
)
async def test_a_head_that_does_not_end_is_cut(edge: Edge, sent: bytes) -> None:
    assert answers(await edge.exchange(sent))[-1] == TIMEOUT


async def test_a_head_that_trickles_is_cut(edge: Edge) -> None:
    reader, writer = await edge.connect()
    trickle = asyncio.create_task(trickled(writer, b"GET /v1/carts/x HTTP/1.1\r\nHost: shop\r\nX-A: "))
    assert answers(await reader.read()) == [TIMEOUT]
    await ended(trickle, writer)
    assert edge.service.begun == 0


async def test_a_connection_that_says_nothing_is_closed(edge: Edge) -> None:
    assert await edge.exchange(b"") == b""


@pytest.mark.parametrize("lines", ["Content-Length: 500", "Transfer-Encoding: chunked"])
async def test_a_body_that_stalls_is_cut(edge: Edge, lines: str) -> None:
    assert answers(await edge.exchange(post(lines))) == [TIMEOUT]
    assert edge.service.whole == []


async def test_a_body_that_trickles_is_cut(edge: Edge) -> None:
    reader, writer = await edge.connect()
    writer.write(post("Content-Length: 100000"))
    trickle = asyncio.create_task(trickled(writer, b""))
    assert answers(await reader.read()) == [TIMEOUT]
    await ended(trickle, writer)
    assert edge.service.whole == []


async def test_who_does_not_read_the_answer_is_cut_and_holds_nobody(edge: Edge) -> None:
    edge.service.pieces = 1_000
    stuck = [await edge.connect() for _ in range(10)]
    for _, writer in stuck:
        writer.write(get("/v1/products"))
    await until(lambda: all_begun(edge, len(stuck)))
    assert answers(await edge.exchange(get())) == [OK]
    await until(lambda: all_given_up(edge, len(stuck)))
    for _, writer in stuck:
        writer.close()


async def all_begun(edge: Edge, count: int) -> bool:
    return edge.service.begun >= count


async def all_given_up(edge: Edge, count: int) -> bool:
    return edge.service.left == count


async def trickled(writer: asyncio.StreamWriter, begin: bytes) -> None:
    writer.write(begin)
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def ended(trickle: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
    trickle.cancel()
    writer.close()
    await asyncio.gather(trickle, return_exceptions=True)
