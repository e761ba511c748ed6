"""OWASP API8:2023. Every answer is made safe for browsers, and none tells how the platform is made."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.e2e.shop import Shop
from tests.e2e.shopper import Answer
from tests.gateway.stand import Upstream, gateway_before, problem_of, settings
from tests.http_server import serving

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}
ANSWERS = {
    "a page": ("GET", "/v1/products", 200),
    "a document": ("GET", "/openapi.json", 200),
    "the docs": ("GET", "/docs", 200),
    "health": ("GET", "/healthz", 200),
    "keys": ("GET", "/.well-known/jwks.json", 200),
    "something new": ("POST", "/v1/carts", 201),
    "nothing": ("GET", "/v1/nothing", 404),
    "a service's nothing": ("GET", "/v1/products/nothing", 404),
    "another method": ("PATCH", "/v1/checkouts", 405),
    "a stranger": ("GET", "/v1/orders", 401),
    "a bad body": ("POST", "/v1/auth/login", 422),
    "a bad path": ("GET", "/v1/products/%00", 400),
}
# What an answer would hold if it told of the inside.
INSIDE = (
    *(b"Traceback", b'File "', b".py", b"SELECT ", b"127.0.0.1", b"postgres", b"temporal"),
    *(b"sqlalchemy", b"asyncpg", b"pymongo", b"pydantic", b"starlette", b"uvicorn", b"fastapi"),
)


@pytest.fixture(scope="module")
async def upstream_url() -> AsyncIterator[str]:
    async with serving(Upstream()) as url:
        yield url


async def asked(shop: Shop, what: str) -> Answer:
    method, path, status = ANSWERS[what]
    body: dict[str, str] | None = {} if status == 422 else None
    answer = await shop.guest.call(method, path, body)
    assert answer.status == status, answer.raw
    return answer


@pytest.mark.parametrize("what", ANSWERS)
async def test_every_answer_is_safe_for_a_browser(shop: Shop, what: str) -> None:
    headers = (await asked(shop, what)).headers
    assert {name: headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("what", ANSWERS)
async def test_no_answer_says_what_it_was_made_with(shop: Shop, what: str) -> None:
    names = {name.lower() for name in (await asked(shop, what)).headers}
    assert not names & {"server", "x-powered-by", "via", "x-aspnet-version", "x-micromart-draining"}
    assert not [name for name in names if name.startswith("x-micromart")]


BAD = {
    "not JSON": ("POST", "/v1/auth/login", b"{"),
    "not UTF-8": ("POST", "/v1/auth/login", b'{"email": "\xff"}'),
    "other types": ("POST", "/v1/auth/login", b'{"email": [1], "password": {}}'),
    "SQL": ("GET", "/v1/orders/x'%20OR%201=1--", None),
    "an operator": ("GET", "/v1/products?category[$ne]=x&q[$where]=1", None),
    "a template": ("GET", "/v1/products/{{7*7}}", None),
    "a huge number": ("GET", "/v1/products?min_price=99999999999999999999999", None),
    "a broken cursor": ("GET", "/v1/products?cursor=AAAA", None),
    "a cursor of other things": ("GET", "/v1/categories?cursor=WzEsMiwzXQ", None),
    "a webhook": ("POST", "/v1/payments/webhooks/sandbox", b"{}"),
    "a made-up link": ("POST", "/v1/auth/email/verify", b'{"token": "..."}'),
}


@pytest.mark.parametrize("what", BAD)
async def test_no_refusal_tells_of_the_inside(shop: Shop, what: str) -> None:
    method, path, data = BAD[what]
    answer = await shop.guest.call(method, path, data=data)
    assert answer.status < 500
    if answer.status >= 400:
        assert answer.problem[1]
        assert [word for word in INSIDE if word in answer.raw] == []


async def test_what_is_for_us_alone_is_not_there_for_others(shop: Shop, upstream_url: str) -> None:
    for path in ("/metrics/", "/internal", "/internal/quotes", "/debug", "/.env", "/.git/config", "/admin"):
        assert (await shop.staff.get(path)).problem == (404, "gateway.no_such_route")
    async with (
        gateway_before(settings(upstream_url, metrics_networks="10.0.0.0/8")) as client,
        client.get("/metrics") as response,
    ):
        assert await problem_of(response) == (404, "gateway.no_such_route")


async def test_the_inside_is_not_reached_around_the_gateway_either(shop: Shop) -> None:
    """Who gets to a service's own port is nobody there, and hears nothing of what is internal."""
    for service in ("auth", "carts", "inventory", "orders", "products"):
        url = shop.settings.url_of(service)
        for path in ("/internal/sessions/ended", "/internal/stock", "/internal/carts/mine/snapshot", "/docs"):
            async with shop.session.get(url + path) as response:
                assert response.status in (401, 404, 405)
    forged = {"x-micromart-identity": "e30.AAAA", "x-micromart-service": "gateway"}
    async with shop.session.get(f"{shop.settings.orders_url}/v1/orders", headers=forged) as response:
        assert response.status == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:3000", "*"])
async def test_no_other_sites_page_reads_an_answer(shop: Shop, origin: str) -> None:
    answer = await shop.guest.call("GET", "/v1/products", headers={"Origin": origin})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    refused = await shop.guest.call("OPTIONS", "/v1/checkouts", headers=asks)
    assert refused.problem == (403, "gateway.origin_not_allowed")


async def test_a_named_origin_may_and_its_neighbours_may_not(upstream_url: str) -> None:
    named = "https://shop.example"
    async with gateway_before(settings(upstream_url, cors_origins=named, public_url=named)) as client:
        for origin, allowed in (
            (named, named),
            (f"{named}.evil.example", None),
            (f"{named}:8443", None),
            ("http://shop.example", None),
        ):
            async with client.get("/v1/products", headers={"Origin": origin}) as response:
                assert response.headers.get("access-control-allow-origin") == allowed
                assert "max-age=" in response.headers["strict-transport-security"]
                assert "origin" in response.headers["vary"].lower()


async def test_what_somebody_is_told_is_kept_by_nobody(shop: Shop) -> None:
    customer = await shop.customer()
    for path in ("/v1/auth/me", "/v1/orders", "/v1/carts/mine", "/v1/auth/sessions"):
        assert (await customer.get(path)).headers["cache-control"] == "no-store"
    account = {"email": customer.email, "password": "correct horse battery"}
    login = await shop.guest.call("POST", "/v1/auth/login", account)
    assert login.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "DEBUG", "OPTIONS"])
async def test_methods_that_nobody_needs_are_refused(shop: Shop, method: str) -> None:
    port = int(shop.settings.gateway_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"{method} /v1/products HTTP/1.1\r\nHost: shop\r\nX-Mine: echo-me\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ")[1] in (b"400", b"405", b"501")
    assert b"echo-me" not in answer


async def test_the_docs_run_and_load_nothing(shop: Shop) -> None:
    page = await shop.guest.get("/docs")
    assert b"<script" not in page.raw.lower()
    assert b"http://" not in page.raw
    assert b"https://" not in page.raw
