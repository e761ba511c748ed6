"""Signing in with an OpenID provider: the way there, and who gets tokens."""

import base64
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from api.auth.app import auth_app
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.oidc_issuer import ABSENT, Claims, OidcMock
from tests.stores.auth_oidc.shop import (
    EMAIL,
    REFUSED,
    UNAVAILABLE,
    Browser,
    Shop,
    payload,
    shop_settings,
    signed_in,
)


async def test_the_providers_are_listed_by_name(browser: Browser) -> None:
    answer = await browser.send("GET", "/v1/auth/oidc")
    assert answer.body == {
        "items": [
            {"name": "down", "label": "down"},
            {"name": "local", "label": "local"},
            {"name": "mock", "label": "The Mock"},
        ]
    }


async def test_who_signs_in_at_the_provider_gets_tokens(shop: Shop, browser: Browser) -> None:
    back = await shop.mock.signs_in(await browser.departs("mock"), "ada")
    assert back.startswith("http://shop.test/v1/auth/oidc/mock/callback?")
    answer = await browser.arrives(back)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.body.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    refreshed = await browser.send(
        "POST", "/v1/auth/refresh", json={"refresh_token": answer.body["refresh_token"]}
    )
    assert refreshed.status == 200


async def test_the_second_sign_in_is_to_the_same_account(shop: Shop, browser: Browser) -> None:
    subjects = set()
    for _ in range(2):
        answer = await browser.arrives(await shop.mock.signs_in(await browser.departs("mock"), "ada"))
        subjects.add(payload(answer.body["access_token"])["sub"])
    assert len(subjects) == 1


async def test_the_request_carries_state_nonce_and_a_challenge(browser: Browser) -> None:
    query = parse_qs(urlsplit(await browser.departs("mock")).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == ["http://shop.test/v1/auth/oidc/mock/callback"]
    secrets = [query[name][0] for name in ("state", "nonce", "code_challenge")]
    assert len(set(secrets)) == 3
    assert all(len(secret) == 43 for secret in secrets)


async def test_the_cookie_is_out_of_scripts_reach_and_gone_afterwards(shop: Shop, browser: Browser) -> None:
    begun = await browser.send("POST", "/v1/auth/oidc/mock/authorize")
    assert begun.cookies.startswith("micromart_oidc=")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"} <= set(begun.cookies.split("; "))
    ended = await browser.arrives(await shop.mock.signs_in(begun.body["authorization_url"], "ada"))
    assert 'micromart_oidc=""' in ended.cookies
    assert "Max-Age=0" in ended.cookies


async def test_on_https_the_cookie_is_bound_to_the_host(
    mock: OidcMock, shop: Shop, fresh_database: FreshDatabase
) -> None:
    settings = await shop_settings(fresh_database, mock, shop.issuer, "https://shop.test")
    async with serving(auth_app(settings)) as url, aiohttp.ClientSession(url) as session:
        begun = await Browser(session).send("POST", "/v1/auth/oidc/mock/authorize")
    assert begun.cookies.startswith("__Host-micromart_oidc=")
    assert "Secure" in begun.cookies.split("; ")
    assert "Domain" not in begun.cookies


async def test_the_cookie_tells_nobody_the_verifier(browser: Browser) -> None:
    url = await browser.departs("mock")
    state = parse_qs(urlsplit(url).query)["state"][0].encode()
    [cookie] = browser.session.cookie_jar
    assert state not in base64.urlsafe_b64decode(cookie.value + "==")


async def test_an_unverified_address_is_refused(shop: Shop, browser: Browser) -> None:
    await shop.mock.knows("eve", email="eve@example.com", email_verified=False)
    answer = await browser.arrives(await shop.mock.signs_in(await browser.departs("mock"), "eve"))
    assert answer.refusal == (403, "auth.oidc_email_unverified")


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": ABSENT},
        {"email_verified": "false"},
        {"email_verified": None},
        {"email": ABSENT},
        {"email": ""},
        {"email": "not an address"},
        {"email": "a\ud800@example.com"},
    ],
)
async def test_without_a_verified_address_there_is_no_account(shared_shop: Shop, claims: Claims) -> None:
    shared_shop.issuer.claims = claims
    shared_shop.issuer.userinfo = {"sub": "ada"}
    assert (await signed_in(shared_shop)).refusal == (403, "auth.oidc_email_unverified")


async def test_claims_that_only_userinfo_tells_are_asked_for(shop: Shop) -> None:
    shop.issuer.claims = {"email": ABSENT, "email_verified": ABSENT}
    shop.issuer.userinfo = {"sub": "ada", "email": EMAIL, "email_verified": "true"}
    assert (await signed_in(shop)).status == 200


async def test_userinfo_about_somebody_else_is_refused(shared_shop: Shop) -> None:
    shared_shop.issuer.claims = {"email": ABSENT}
    shared_shop.issuer.userinfo = {"sub": "eve", "email": EMAIL, "email_verified": True}
    assert (await signed_in(shared_shop)).refusal == REFUSED


async def test_an_unknown_provider_is_not_found(browser: Browser) -> None:
    for answer in (
        await browser.send("POST", "/v1/auth/oidc/nobody/authorize"),
        await browser.returns("nobody", code="code", state="state"),
    ):
        assert answer.refusal == (404, "auth.oidc_unknown_provider")


async def test_a_provider_that_is_down_is_a_503(browser: Browser) -> None:
    answer = await browser.send("POST", "/v1/auth/oidc/down/authorize")
    assert answer.refusal == UNAVAILABLE
    assert answer.headers["retry-after"] == "5"
