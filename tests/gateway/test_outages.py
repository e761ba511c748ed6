"""A service that is away, slow or breaks off, and a client that leaves."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from tests.gateway.stand import (
    ISSUER,
    NOBODY,
    TooSlow,
    Upstream,
    gateway_before,
    given_time,
    has_arrived,
    is_left,
    problem_of,
    settings,
)
from tests.gateway_peers import answer, bearer
from tests.http_server import serving
from tests.polling import until


async def test_a_service_that_is_down_is_told_as_such(upstream_url: str) -> None:
    async with (
        gateway_before(settings(upstream_url, products_url=NOBODY)) as client,
        client.get("/v1/products") as response,
    ):
        assert await problem_of(response) == (503, "gateway.upstream_unavailable")
        assert response.headers["retry-after"] == "1"


async def test_a_service_that_takes_too_long_is_told_as_such(upstream: Upstream, upstream_url: str) -> None:
    async def is_told(seconds: float) -> None:
        async with (
            gateway_before(settings(upstream_url), total=seconds) as client,
            client.get("/v1/products") as response,
        ):
            assert await problem_of(response) == (504, "gateway.upstream_timeout")
            if not upstream.requests:
                raise TooSlow

    upstream.handle = upstream.hang

    async def all_are_left() -> bool:
        return upstream.left == len(upstream.requests)

    await given_time(is_told)
    await until(all_are_left)


async def test_a_checkout_may_take_longer_than_other_requests(upstream: Upstream, upstream_url: str) -> None:
    decided = asyncio.Event()

    async def decides(_: Scope, __: Receive, send: Send) -> None:
        await decided.wait()
        await answer(send, 201, b"")

    upstream.handle = decides
    async with gateway_before(settings(upstream_url), total=0.2, checkout=60.0) as client:
        checkout = asyncio.create_task(client.post("/v1/checkouts"))
        await until(lambda: has_arrived(upstream))
        async with client.get("/v1/products") as response:
            assert response.status == 504
        decided.set()
        async with await checkout as response:
            assert response.status == 201


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_leaves_takes_its_request_with_it(
    client: aiohttp.ClientSession, upstream: Upstream, method: str
) -> None:
    upstream.handle = upstream.hang
    path = {"GET": "/v1/products", "POST": "/v1/carts"}[method]
    request = asyncio.create_task(client.request(method, path, data=b"{}" if method == "POST" else None))
    await until(lambda: has_arrived(upstream))
    request.cancel()
    await until(lambda: is_left(upstream))


async def test_a_post_is_never_sent_twice() -> None:
    """A service that closes a kept connection on the second request may have carried it out."""
    methods: list[bytes] = []

    async def answers_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods.append(await reader.readuntil(b" "))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        methods.append(await reader.readuntil(b" "))
        writer.close()

    server = await asyncio.start_server(answers_once, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, gateway_before(settings(NOBODY, carts_url=url)) as client:
        async with client.get("/v1/carts/x") as response:
            assert response.status == 200
        async with client.post("/v1/carts", data=b"{}") as response:
            assert await problem_of(response) == (503, "gateway.upstream_unavailable")
    assert methods == [b"GET ", b"POST "]


async def test_tokens_are_still_verified_when_auth_has_gone(upstream_url: str) -> None:
    async with AsyncExitStack() as stack:
        async with serving(Upstream()) as auth_url:
            client = await stack.enter_async_context(
                gateway_before(settings(upstream_url, auth_url=auth_url))
            )
        async with client.get("/v1/orders", headers=bearer(ISSUER.token())) as response:
            assert response.status == 200


async def test_without_keys_a_token_is_neither_taken_nor_refused(upstream_url: str) -> None:
    async with gateway_before(settings(upstream_url, auth_url=NOBODY)) as client:
        async with client.get("/v1/orders", headers=bearer(ISSUER.token())) as response:
            assert await problem_of(response) == (503, "auth.keys_unavailable")
        async with client.get("/readyz") as response:
            assert await problem_of(response) == (503, "auth.keys_unavailable")
        async with client.get("/healthz") as response:
            assert response.status == 200
        async with client.get("/v1/products") as response:
            assert response.status == 200
