"""What the gateway refuses by itself, so that no service sees it."""

import aiohttp
import pytest

from api.gateway.routes import BODY_BYTES
from contracts.identity import Identity, Role
from runtime.identity import IdentitySigner
from tests.gateway.stand import (
    ISSUER,
    LIMIT,
    TooSlow,
    Upstream,
    gateway_before,
    given_time,
    is_left,
    pieces,
    problem_of,
    raw_answer,
    settings,
)
from tests.gateway_peers import bearer
from tests.polling import until


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


async def test_two_keys_for_one_checkout_are_refused(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    two = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    async with client.post("/v1/checkouts", data=b"{}", headers=two) as response:
        assert await problem_of(response) == (400, "request.malformed")
    assert not upstream.requests


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


async def test_a_body_that_says_it_is_too_large_is_refused_unread(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    async with client.post("/v1/carts", data=b"x" * BODY_BYTES) as response:
        assert response.status == 200
    upstream.requests.clear()
    async with client.post("/v1/carts", data=b"x" * (BODY_BYTES + 1)) as response:
        assert await problem_of(response) == (413, "request.too_large")
    assert not upstream.requests


async def test_a_route_that_needs_more_takes_as_much_as_the_gateway_does(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    staff = bearer(ISSUER.token(roles=["staff"]))
    async with client.post("/v1/products", data=b"x" * LIMIT, headers=staff) as response:
        assert response.status == 200
    upstream.requests.clear()
    async with client.post("/v1/products", data=b"x" * (LIMIT + 1), headers=staff) as response:
        assert await problem_of(response) == (413, "request.too_large")
    assert not upstream.requests


async def test_a_body_that_grows_too_large_is_cut_off(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    staff = bearer(ISSUER.token(roles=["staff"]))
    async with client.post("/v1/products", data=pieces(40), headers=staff) as response:
        assert await problem_of(response) == (413, "request.too_large")
    await until(lambda: is_left(upstream))
    assert len(upstream.bodies[-1]) <= LIMIT


async def test_a_client_that_never_ends_its_body_is_told_so(upstream: Upstream, upstream_url: str) -> None:
    head = b"POST /v1/carts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    framings = (b"Content-Length: 9\r\n\r\n12", b"Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n")

    async def is_told(seconds: float) -> None:
        async with gateway_before(settings(upstream_url), total=seconds) as client:
            for framing in framings:
                answered = await raw_answer(client, head + framing)
                if b"chunked" in framing and not upstream.bodies:
                    raise TooSlow
                assert answered.startswith(b"HTTP/1.1 408 ")
                assert b"request.timeout" in answered

    await given_time(is_told)
