"""What is sent again, to whom, and what never is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from contracts.identity import DRAINING_HEADER
from runtime.settings import Settings
from tests.gateway.stand import NOBODY, Upstream, gateway_before, pieces, problem_of, settings
from tests.gateway_peers import answer
from tests.http_server import serving
from tests.ports import free_port

PURCHASE = {"idempotency-key": "mine-1"}


class HangsUp:
    """A service that takes a request whole and closes the connection, the first few times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            self.requests.append(head + await reader.readexactly(length))
            if len(self.requests) > self.times:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
                await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def at(service: HangsUp) -> AsyncIterator[str]:
    server = await asyncio.start_server(service, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def behind(url: str) -> Settings:
    """All but auth, which the gateway asks of its own accord."""
    return settings(NOBODY, products_url=url, carts_url=url, orders_url=url)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v1/products", {}),
        ("PUT", "/v1/carts/x/items/y", {}),
        ("DELETE", "/v1/carts/x/items/y", {}),
        ("POST", "/v1/checkouts", PURCHASE),
    ],
)
async def test_what_may_be_repeated_is_sent_again(method: str, path: str, headers: dict[str, str]) -> None:
    service = HangsUp(times=2)
    async with at(service) as url, gateway_before(behind(url)) as client:
        body = b'{"a":1}' if method in ("PUT", "POST") else None
        async with client.request(method, path, data=body, headers=headers) as response:
            assert response.status == 200
    sent = [request for request in service.requests if request.startswith(method.encode())]
    assert len(sent) == 3
    assert len({request.partition(b"\r\n\r\n")[2] for request in sent}) == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/carts", {}),
        # Carts do not know of the key: to them it is a header like another.
        ("/v1/carts", PURCHASE),
        ("/v1/checkouts", {}),
    ],
)
async def test_what_may_have_been_done_is_not_sent_again(path: str, headers: dict[str, str]) -> None:
    service = HangsUp(times=1)
    async with (
        at(service) as url,
        gateway_before(behind(url)) as client,
        client.post(path, data=b"{}", headers=headers) as response,
    ):
        assert await problem_of(response) == (503, "gateway.upstream_unavailable")
    assert len([request for request in service.requests if request.startswith(b"POST")]) == 1


async def test_a_body_that_was_streamed_is_not_sent_again() -> None:
    service = HangsUp(times=1)
    async with (
        at(service) as url,
        gateway_before(behind(url)) as client,
        client.put("/v1/carts/x/items/y", data=pieces(6)) as response,
    ):
        assert response.status == 503
    assert len([request for request in service.requests if request.startswith(b"PUT")]) == 1


async def test_retries_are_bounded_by_the_traffic() -> None:
    """A service that fails always costs hardly more requests than are sent to it."""
    service = HangsUp(times=1_000)
    async with at(service) as url, gateway_before(behind(url)) as client:
        for _ in range(15):
            async with client.get("/v1/products") as response:
                assert response.status == 503
    # Five in any case, and then a fifth of the requests.
    assert 15 < len(service.requests) <= 15 + 5


async def test_one_instance_that_is_gone_is_not_noticed(upstream: Upstream, upstream_url: str) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    async with gateway_before(settings(upstream_url, carts_url=f"{gone},{upstream_url}")) as client:
        for _ in range(10):
            # Nothing was sent where nobody listens: even a POST may go to the other instance.
            async with client.post("/v1/carts", data=b"{}") as response:
                assert response.status == 200
    assert len(upstream.requests) == 10


async def test_instances_take_turns_until_one_says_that_it_leaves(
    upstream: Upstream, upstream_url: str
) -> None:
    async def leaving(_: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, await other.body(receive), [(DRAINING_HEADER.encode(), b"1")])

    other = Upstream()
    async with (
        serving(other) as other_url,
        gateway_before(settings(upstream_url, carts_url=f"{upstream_url}, {other_url}")) as client,
    ):
        for _ in range(4):
            async with client.get("/v1/carts/x") as response:
                assert response.status == 200
        assert (len(upstream.requests), len(other.requests)) == (2, 2)
        other.handle = leaving
        for _ in range(8):
            async with client.get("/v1/carts/x") as response:
                assert response.status == 200
                assert DRAINING_HEADER not in response.headers
    assert len(other.requests) == 3
    assert len(upstream.requests) == 9
