"""What browsers are told: which pages may call, and what an answer must not be used for."""

from typing import Any

import pytest
from starlette.types import Scope

from api.gateway.browsers import Browsers, OriginNotAllowed, added_to, origin_of
from runtime.settings import MissingSetting, Settings

SHOP = "https://shop.example"


def browsers(**changes: Any) -> Browsers:
    return Browsers(Settings.model_validate({"cors_origins": f"{SHOP}, http://localhost:5173"} | changes))


def told(origin: str | None, *, authenticated: bool = False, **changes: Any) -> dict[str, str]:
    pairs = browsers(**changes).headers(origin.encode() if origin else None, authenticated=authenticated)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    return {name.decode(): value.decode() for name, value in pairs}


def asking(origin: str | None, method: str = "OPTIONS", wanted: str | None = "PUT") -> Scope:
    headers = [(b"origin", origin.encode())] if origin else []
    if wanted:
        headers.append((b"access-control-request-method", wanted.encode()))
    return {"type": "http", "method": method, "headers": headers}


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:5173"])
def test_a_page_of_a_named_origin_may_read(origin: str) -> None:
    headers = told(origin)
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-credentials"] == "true"
    assert "Retry-After" in headers["access-control-expose-headers"]
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "*",
        "https://shop.example.evil.example",
        "https://evil-shop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example/",
        "HTTPS://SHOP.EXAMPLE",
    ],
)
def test_a_page_of_another_origin_may_not(origin: str | None) -> None:
    headers = told(origin)
    assert not [name for name in headers if name.startswith("access-control-")]
    assert headers["vary"] == "Origin"


def test_without_origins_nothing_is_said_of_them() -> None:
    headers = told(SHOP, cors_origins="")
    assert not [name for name in headers if name.startswith("access-control-") or name == "vary"]


@pytest.mark.parametrize("origin", [None, SHOP])
def test_every_answer_tells_what_it_must_not_be_used_for(origin: str | None) -> None:
    headers = told(origin)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "strict-transport-security" not in headers


def test_a_shop_on_https_stays_there() -> None:
    assert told(None, public_url="https://shop.example")["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("origin", [None, SHOP])
def test_what_somebody_was_told_is_not_kept(origin: str | None) -> None:
    assert "cache-control" not in told(origin)
    assert told(origin, authenticated=True)["cache-control"] == "no-store"


def test_what_an_answer_says_itself_stands() -> None:
    said = [(b"cache-control", b"max-age=60"), (b"vary", b"Accept-Encoding")]
    more = ((b"cache-control", b"no-store"), (b"vary", b"Origin"), (b"x-frame-options", b"DENY"))
    assert added_to(said, more) == [*said, (b"vary", b"Origin"), (b"x-frame-options", b"DENY")]


def test_a_preflight_is_answered_with_the_methods_of_the_path() -> None:
    response = browsers().preflight(asking(SHOP), "GET, HEAD, PUT")
    assert response is not None
    assert (response.status_code, response.body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == SHOP
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, PUT"
    assert "Idempotency-Key" in response.headers["access-control-allow-headers"]
    assert response.headers["access-control-max-age"] == "7200"
    assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "*"])
def test_a_preflight_of_another_origin_is_refused(origin: str) -> None:
    with pytest.raises(OriginNotAllowed):
        browsers().preflight(asking(origin), "GET")


@pytest.mark.parametrize(
    "scope", [asking(None), asking(SHOP, wanted=None), asking(SHOP, method="POST"), asking(None, wanted=None)]
)
def test_other_requests_are_no_preflights(scope: Scope) -> None:
    assert browsers().preflight(scope, "GET") is None


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "null",
        "https://*.shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://user@shop.example",
        "shop.example",
        "https://SHOP.example",
        "https://shop.example:443",
        "https://shop.example:port",
        "ftp://shop.example",
        f"{SHOP},*",
    ],
)
def test_an_origin_that_is_not_exact_ends_the_start(origins: str) -> None:
    with pytest.raises(MissingSetting, match="CORS_ORIGINS"):
        browsers(cors_origins=origins)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Shop.example:443/cart?x=1", "https://shop.example"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("mailto:shop@example.com", None),
        ("", None),
    ],
)
def test_the_origin_of_an_address_is_what_a_browser_sends(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
