"""The gateway on a real socket, in front of a service of the test's own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from api.gateway.app import Gateway
from api.gateway.proxy import Timeouts
from contracts.identity import IDENTITY_HEADER, Identity, Role
from contracts.topology import SERVICES
from runtime.embedded.ports import free_port
from runtime.identity import IdentitySigner
from runtime.settings import PREFIX, Settings
from tests.gateway_peers import Issuer, answer, bearer
from tests.http_server import serving
from tests.polling import until

SECRET = "only-our-processes-know"
LIMIT = 200_000
NOBODY = "http://127.0.0.1:9"
ISSUER = Issuer()

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Upstream:
    """One service that stands for all: auth's keys, and whatever the test makes it do."""

    def __init__(self) -> None:
        self.requests: list[Scope] = []
        self.bodies: list[bytearray] = []
        self.left = 0
        self.down = False
        self.handle: Handler = self.echo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["path"] == "/.well-known/jwks.json":
            await answer(send, 200, ISSUER.jwks())
        else:
            self.requests.append(scope)
            await self.handle(scope, receive, send)

    async def body(self, receive: Receive) -> bytes:
        """The request's body, noted piece by piece; a sender that leaves is counted."""
        self.bodies.append(bytearray())
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return bytes(self.bodies[-1])
            self.bodies[-1] += message.get("body", b"")
            if not message.get("more_body"):
                return bytes(self.bodies[-1])

    async def echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, await self.body(receive), [(b"x-of-service", b"1")])

    async def hang(self, _: Scope, receive: Receive, __: Send) -> None:
        """Take the request and answer nothing until the sender leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1

    def headers(self) -> dict[str, str]:
        """What the service saw of the last request's headers."""
        return {name.decode(): value.decode() for name, value in self.requests[-1]["headers"]}


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def upstream_url(upstream: Upstream) -> AsyncIterator[str]:
    async with serving(upstream) as url:
        yield url


def settings(upstream_url: str, **changes: str) -> Settings:
    urls = {f"{service.name}_url": upstream_url for service in SERVICES}
    return Settings.model_validate(
        urls | {"identity_secret": SecretStr(SECRET), "max_body_bytes": LIMIT} | changes
    )


@asynccontextmanager
async def gateway_before(configured: Settings, **timeouts: float) -> AsyncIterator[aiohttp.ClientSession]:
    app = Gateway(configured, timeouts=Timeouts(**timeouts))
    async with (
        serving(app) as url,
        aiohttp.ClientSession(url, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield client


@pytest.fixture
async def client(upstream_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a gateway whose every service is the upstream."""
    async with gateway_before(settings(upstream_url)) as client:
        yield client


async def problem_of(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """Status and code, of an answer that is a problem indeed."""
    assert response.content_type == "application/problem+json"
    problem = json.loads(await response.read())
    assert problem["status"] == response.status
    return response.status, problem["code"]


async def pieces(count: int, size: int = 10_000) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size


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


@pytest.mark.parametrize("name", ["X-Micromart-Identity", "x_micromart_identity", "X-MICROMART_Identity"])
async def test_a_client_cannot_speak_for_the_gateway(
    client: aiohttp.ClientSession, upstream: Upstream, name: str
) -> None:
    forged = IdentitySigner("a-guess").sign(Identity(subject="admin", roles=frozenset({Role.ADMIN})))
    async with client.get("/v1/products", headers={name: forged}) as response:
        assert response.status == 200
    assert not [header for header in upstream.headers() if "micromart" in header]


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/v1/nothing", {}, (404, "gateway.no_such_route")),
        ("GET", "/internal/products", {}, (404, "gateway.no_such_route")),
        ("GET", "/v1/auth/me", {}, (401, "auth.unauthenticated")),
        ("POST", "/v1/products", bearer(ISSUER.token()), (403, "auth.forbidden")),
        ("GET", "/v1/products", bearer("x"), (401, "auth.token_invalid")),
        ("GET", "/v1/products", bearer(ISSUER.token(exp=1)), (401, "auth.token_expired")),
        ("DELETE", "/v1/orders", {}, (405, "gateway.method_not_allowed")),
        ("POST", "/healthz", {}, (405, "gateway.method_not_allowed")),
    ],
)
async def test_what_the_gateway_refuses_no_service_sees(
    client: aiohttp.ClientSession,
    upstream: Upstream,
    method: str,
    path: str,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    async with client.request(method, path, headers=headers) as response:
        assert await problem_of(response) == expected
        assert len(response.headers["x-request-id"]) == 32
    assert not upstream.requests


async def test_a_refusal_tells_how_to_do_better(client: aiohttp.ClientSession) -> None:
    async with client.delete("/v1/orders") as response:
        assert response.headers["allow"] == "GET, HEAD"
    async with client.get("/v1/orders") as response:
        assert response.headers["www-authenticate"] == "Bearer"
    async with client.get("/v1/orders", headers=bearer("x")) as response:
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "path", ["/v1/../internal", "/v1/products/a%2Fb", "/v1/%2e%2e/x", "/v1/products/a%00"]
)
async def test_a_path_of_two_meanings_is_refused(
    client: aiohttp.ClientSession, upstream: Upstream, path: str
) -> None:
    # A client library would tidy the path up first.
    head = await raw_answer(client, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"request.malformed" in head
    assert not upstream.requests


async def raw_answer(client: aiohttp.ClientSession, request: bytes) -> bytes:
    """All that comes back on a connection of its own, until the gateway closes it."""
    assert client._base_url is not None
    reader, writer = await asyncio.open_connection(client._base_url.host, client._base_url.port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


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
    headers = {"content-length": length} if length else {}
    async with client.post("/v1/carts", data=pieces(15), headers=headers) as response:
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


async def reached(upstream: Upstream, body: bytes) -> bool:
    return bool(upstream.bodies) and upstream.bodies[-1] == body


async def test_a_body_that_says_it_is_too_large_is_refused_unread(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async with client.post("/v1/carts", data=b"x" * (LIMIT + 1)) as response:
        assert await problem_of(response) == (413, "request.too_large")
    assert not upstream.requests


async def test_a_body_that_grows_too_large_is_cut_off(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async with client.post("/v1/carts", data=pieces(40)) as response:
        assert await problem_of(response) == (413, "request.too_large")
    await until(lambda: is_left(upstream))
    assert len(upstream.bodies[-1]) <= LIMIT


async def has_arrived(upstream: Upstream) -> bool:
    return bool(upstream.requests)


async def is_left(upstream: Upstream) -> bool:
    return upstream.left == 1


async def test_a_service_that_is_down_is_told_as_such(upstream_url: str) -> None:
    async with (
        gateway_before(settings(upstream_url, products_url=NOBODY)) as client,
        client.get("/v1/products") as response,
    ):
        assert await problem_of(response) == (503, "gateway.upstream_unavailable")
        assert response.headers["retry-after"] == "1"


async def test_a_service_that_takes_too_long_is_told_as_such(upstream: Upstream, upstream_url: str) -> None:
    upstream.handle = upstream.hang
    async with (
        gateway_before(settings(upstream_url), total=0.3) as client,
        client.get("/v1/products") as response,
    ):
        assert await problem_of(response) == (504, "gateway.upstream_timeout")
    await until(lambda: is_left(upstream))


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


async def test_a_client_that_never_ends_its_body_is_told_so(upstream_url: str) -> None:
    async with gateway_before(settings(upstream_url), total=0.3) as client:
        head = b"POST /v1/carts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        for framing in (b"Content-Length: 9\r\n\r\n12", b"Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n"):
            answered = await raw_answer(client, head + framing)
            assert answered.startswith(b"HTTP/1.1 408 ")
            assert b"request.timeout" in answered


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


async def test_the_documents_tell_of_every_service_that_answers(
    upstream: Upstream, upstream_url: str
) -> None:
    document = {"paths": {"/v1/products": {"get": {"tags": ["products"], "responses": {}}}}}

    async def describes(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, json.dumps(document).encode())

    upstream.handle = describes
    async with gateway_before(settings(upstream_url, carts_url=NOBODY)) as client:
        async with client.get("/openapi.json") as response:
            merged: Any = await response.json()
        async with client.get("/docs") as response:
            assert "/v1/products" in await response.text()
    assert merged["paths"].keys() == {"/v1/products"}
    assert merged["x-unavailable"] == ["carts"]


async def test_what_the_services_say_is_told_whether_they_answer_or_not() -> None:
    async with gateway_before(settings(NOBODY)) as client, client.get("/asyncapi.json") as response:
        document = await response.json()
    assert document["channels"]["orders"]["address"] == "events:orders:{shard}"


async def test_requests_are_counted_by_the_pattern_of_their_route(client: aiohttp.ClientSession) -> None:
    async with client.get("/v1/products/some-slug") as response:
        assert response.status == 200
    async with client.get("/metrics") as response:
        text = await response.text()
    labels = 'method="GET",route="/v1/products/{id}",status="200",upstream="products"'
    assert f"micromart_gateway_requests_total{{{labels}}}" in text
    assert "some-slug" not in text


async def test_the_process_serves_and_ends(upstream: Upstream, upstream_url: str) -> None:
    port = free_port()
    urls = {f"{PREFIX}{service.name.upper()}_URL": upstream_url for service in SERVICES}
    ours = {f"{PREFIX}IDENTITY_SECRET": SECRET, f"{PREFIX}PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.gateway", env=os.environ | urls | ours, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    async with client.get("/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            await until(ready)
            headers = {"x-request-id": "mine-1", "x-forwarded-for": "198.51.100.1"}
            async with client.get("/v1/products/moka", headers=headers) as response:
                assert response.headers["x-request-id"] == "mine-1"
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert upstream.headers()["x-forwarded-for"] == "127.0.0.1"
    line = next(json.loads(line) for line in output.splitlines() if b'"mine-1"' in line)
    assert (line["route"], line["upstream"], line["status"]) == ("/v1/products/{id}", "products", 200)
    assert upstream.headers()["traceparent"].split("-")[1] == line["trace_id"]
