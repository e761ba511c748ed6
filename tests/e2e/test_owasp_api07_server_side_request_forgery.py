"""OWASP API7:2023. Whatever address a client writes down, nobody of ours goes there."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.operations import operations_of
from tests.e2e.shop import Shop
from tests.e2e.shopper import Shopper, euros
from tests.gateway_peers import Issuer
from tests.provider_reports import signed

# The only addresses that a client may give us: they are shown to buyers, whose browsers fetch them.
SHOWN_NOT_FETCHED = {"POST /v1/products images[]", "PATCH /v1/products/{} images[]"}


@dataclass
class Lure:
    """A server that nobody has a reason to call."""

    url: str = ""
    calls: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls.append(await reader.read(200))
        writer.close()


@pytest.fixture
async def lure() -> AsyncIterator[Lure]:
    """Fails the test that has somebody call it."""
    lure = Lure()
    server = await asyncio.start_server(lure.serve, "127.0.0.1", 0)
    async with server:
        lure.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/lure"
        yield lure
        assert lure.calls == []


async def test_no_body_takes_an_address_that_is_not_known_here(shop: Shop) -> None:
    takes = {
        f"{operation.shape} {at}"
        for operation in await operations_of(shop)
        for at, schemas in operation.body().items()
        for schema in schemas
        if schema.get("format") in ("uri", "url")
        or "http" in schema.get("pattern", "")
        or any(word in at.rpartition(".")[2] for word in ("url", "uri", "link", "callback", "host"))
    }
    assert takes == SHOWN_NOT_FETCHED


async def test_a_products_pictures_are_not_fetched(shop: Shop, lure: Lure) -> None:
    sku = f"LURE-{token_hex(6).upper()}"
    product = {
        "slug": sku.lower(),
        "title": "With a picture from elsewhere",
        "description": lure.url,
        "category": "e2e",
        "images": [lure.url],
        "variants": [{"sku": sku, "title": "One", "price": euros(100)}],
    }
    made = await shop.staff.call("POST", "/v1/products", product)
    assert (made.status, made.body["images"]) == (201, [lure.url])
    assert (await shop.guest.get(f"/v1/products/{sku.lower()}")).status == 200
    await shop.staff.call("PUT", f"/v1/inventory/{sku}", {"on_hand": 1})
    # Bought, and so quoted, reserved, written about by mail and shipped.
    bought = await shop.guest.see_through(await shop.guest.cart_with(sku))
    assert bought.status == 201
    await shop.mail_about(bought.body["order_id"], subjects=1)


@pytest.mark.parametrize(
    "scheme", ["file:///etc/passwd", "gopher://x/", "//169.254.169.254/", "javascript:1"]
)
async def test_a_picture_is_a_web_address_or_none(shop: Shop, scheme: str) -> None:
    product = {"images": [scheme]}
    assert (await shop.staff.call("PATCH", "/v1/products/any", product)).problem[0] in (404, 422)


async def test_what_a_webhook_says_is_not_followed(shop: Shop, lure: Lure) -> None:
    report = f'{{"id":"evt_{token_hex(8)}","url":"{lure.url}","data":{{"reference":"x","url":"{lure.url}"}}}}'
    headers = signed(report.encode(), shop.settings.secret("psp_webhook_secret"))
    path = "/v1/payments/webhooks/sandbox"
    assert (await shop.guest.call("POST", path, data=report.encode(), headers=headers)).status == 204


@pytest.mark.parametrize("name", ["jku", "x5u"])
async def test_no_key_is_fetched_from_where_a_token_says(shop: Shop, lure: Lure, name: str) -> None:
    [key, *_] = (await shop.guest.get("/.well-known/jwks.json")).body["keys"]
    issuer = Issuer(key["kid"])
    for kid in (issuer.kid, lure.url):
        header = issuer.header(kid=kid, **{name: lure.url})
        token = _unsigned(header, issuer.claims(iss=lure.url))
        assert (await Shopper(shop.session, set(), token).get("/v1/auth/me")).status == 401


def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, "A" * 86])


async def test_the_way_back_from_a_provider_is_not_the_clients_to_say(shop: Shop, lure: Lure) -> None:
    address = quote(lure.url, safe="")
    for provider in ("any", quote(lure.url.partition("//")[2], safe="")):
        path = f"/v1/auth/oidc/{provider}"
        begun = await shop.guest.call("POST", f"{path}/authorize?redirect_uri={address}")
        assert begun.problem[0] in (400, 404)
        ended = await shop.guest.get(f"{path}/callback?code=x&state=y&iss={address}")
        assert ended.problem[0] in (400, 404)


@pytest.mark.parametrize(
    "header",
    [
        "Host",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "Forwarded",
        "X-Original-URL",
        "Referer",
        "Origin",
        "True-Client-IP",
    ],
)
async def test_no_header_says_where_a_request_goes(shop: Shop, lure: Lure, header: str) -> None:
    host = lure.url.split("/")[2]
    value = lure.url if header in ("X-Original-URL", "Referer", "Origin") else host
    answer = await shop.guest.call("GET", "/v1/products?limit=1", headers={header: value})
    assert answer.status == 200
    assert host.encode() not in answer.raw


async def test_a_target_with_another_host_in_it_is_not_followed(shop: Shop, lure: Lure) -> None:
    gateway = shop.settings.gateway_url.rpartition(":")[2]
    for target in (lure.url, f"//{lure.url.split('/')[2]}/v1/products", f"@{lure.url.split('/')[2]}"):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway))
        writer.write(f"GET {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.split(b" ")[1] in (b"400", b"404")
