"""What is passed on, and what comes back."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from contracts.identity import IDENTITY_HEADER, Identity, Role
from runtime.identity import IdentitySigner
from tests.gateway.stand import (
    ISSUER,
    SECRET,
    Upstream,
    pieces,
    reached,
)
from tests.gateway_peers import answer, bearer
from tests.polling import until


async def test_a_request_reaches_its_service_as_it_was_sent(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async with client.post(
        "/v1/carts?a=%C3%BC&b=1+2", data=b'{"x":1}', headers={"content-type": "application/json"}
    ) as response:
        assert (response.status, await response.read()) == (200, b'{"x":1}')
        assert response.headers["x-of-service"] == "1"
    seen = upstream.requests[-1]
    assert (seen["method"], seen["raw_path"], seen["query_string"]) == (
        "POST",
        b"/v1/carts",
        b"a=%C3%BC&b=1+2",
    )
    assert upstream.headers()["content-type"] == "application/json"


async def test_the_status_and_a_redirect_come_back_as_they_are(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def accepted(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 303, b"", [(b"location", b"/v1/checkouts/1"), (b"set-cookie", b"a=1")])

    upstream.handle = accepted
    async with client.post("/v1/checkouts", allow_redirects=False) as response:
        assert (response.status, response.headers["location"]) == (303, "/v1/checkouts/1")
        assert response.headers["set-cookie"] == "a=1"


async def test_one_clients_cookies_are_not_anothers(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def sets(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, b"", [(b"set-cookie", b"a=1")])

    upstream.handle = sets
    for _ in range(2):
        async with client.get("/v1/products") as response:
            assert response.status == 200
    assert "cookie" not in upstream.headers()


async def test_head_answers_what_get_would_without_a_body(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def product(scope: Scope, _: Receive, send: Send) -> None:
        await answer(send, 200 if scope["method"] == "GET" else 405, b"0123456789")

    upstream.handle = product
    async with client.head("/v1/products/x") as response:
        assert (response.status, response.headers["content-length"], await response.read()) == (
            200,
            "10",
            b"",
        )


async def test_a_token_becomes_the_gateways_word(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    token = ISSUER.token(sub="user-7", roles=["staff"], sid="session-7")
    async with client.get("/v1/admin/orders", headers=bearer(token)) as response:
        assert response.status == 200
    seen = upstream.headers()
    assert IdentitySigner(SECRET).verify(seen[IDENTITY_HEADER]) == Identity(
        subject="user-7", roles=frozenset({Role.STAFF}), session="session-7"
    )
    assert "authorization" not in seen


async def test_a_long_answer_flows_through(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    async def long(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for piece in pieces(200):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    upstream.handle = long
    async with client.get("/v1/products") as response:
        received = await response.read()
    assert received == b"".join([piece async for piece in pieces(200)])


async def test_an_answer_begins_before_the_service_has_ended_it(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    seen = asyncio.Event()

    async def slowly(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await seen.wait()
        await send({"type": "http.response.body", "body": b"second"})

    upstream.handle = slowly
    async with client.get("/v1/products") as response:
        assert await response.content.readany() == b"first"
        seen.set()
        assert await response.content.readany() == b"second"


@pytest.mark.parametrize("length", [None, "150000"], ids=["chunked", "with its length"])
async def test_a_long_body_flows_through(
    client: aiohttp.ClientSession, upstream: Upstream, length: str | None
) -> None:
    headers = bearer(ISSUER.token(roles=["staff"])) | ({"content-length": length} if length else {})
    async with client.post("/v1/products", data=pieces(15), headers=headers) as response:
        assert await response.read() == b"".join([piece async for piece in pieces(15)])
    assert upstream.headers().get("content-length") == length


async def test_a_body_reaches_the_service_before_it_is_complete(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def halting() -> AsyncIterator[bytes]:
        yield b"first"
        await until(lambda: reached(upstream, b"first"))
        yield b"second"

    async with client.post("/v1/carts", data=halting()) as response:
        assert await response.read() == b"firstsecond"


async def test_an_answer_that_breaks_off_breaks_off_for_the_client(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async def breaks(_: Scope, __: Receive, send: Send) -> None:
        length = [(b"content-length", b"100000")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    upstream.handle = breaks
    async with client.get("/v1/products") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
