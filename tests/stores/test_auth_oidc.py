"""Signing in with an OpenID provider, against one in a process of its own and one that lies."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.auth.app import auth_app
from runtime.embedded.ports import free_port
from runtime.settings import OidcProvider, Settings
from services.auth.oidc_documents import COOLDOWN_SECONDS
from services.auth.oidc_flow import Flow
from services.auth.oidc_http import MAX_ANSWER_BYTES, provider_session
from services.auth.oidc_provider import Provider
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.oidc_issuer import ABSENT, Claims, Issuer, OidcMock, new_key, running_oidc_mock, serving_issuer

EMAIL = "ada@example.com"
CLIENT_SECRET = SecretStr("client-secret")
# Not relative to now: the processes that share the tests must name them alike.
LONG_AGO, FAR_OFF = 946_684_800, 4_102_444_800
REFUSED = (401, "auth.oidc_refused")
STATE_INVALID = (400, "auth.oidc_state_invalid")
UNAVAILABLE = (503, "auth.oidc_unavailable")


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    cookies: str
    headers: dict[str, str]

    @property
    def refusal(self) -> tuple[int, str]:
        assert self.headers["content-type"] == "application/problem+json"
        return self.status, self.body["code"]


@dataclass(frozen=True)
class Browser:
    """One person's browser, with cookies of its own."""

    session: aiohttp.ClientSession

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, path, **options) as answer:
            cookies = "\n".join(answer.headers.getall("set-cookie", []))
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, await answer.json(content_type=None), cookies, headers)

    async def departs(self, provider: str) -> str:
        answer = await self.send("POST", f"/v1/auth/oidc/{provider}/authorize")
        assert answer.status == 200, answer.body
        url: str = answer.body["authorization_url"]
        return url

    async def arrives(self, location: str) -> Answer:
        """Follow the provider's redirection back to us."""
        parts = urlsplit(location)
        return await self.send("GET", f"{parts.path}?{parts.query}")

    async def returns(self, provider: str, **query: str) -> Answer:
        return await self.send("GET", f"/v1/auth/oidc/{provider}/callback", params=query)


@dataclass(frozen=True)
class Shop:
    url: str
    mock: OidcMock
    issuer: Issuer

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(self.url, cookie_jar=jar) as session:
            yield Browser(session)


@pytest.fixture(scope="module")
async def mock() -> AsyncIterator[OidcMock]:
    async with running_oidc_mock() as running:
        await running.knows("ada", email=EMAIL, email_verified=True, name="Ada")
        yield running


@pytest.fixture
async def shop(mock: OidcMock, fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with _open_shop(mock, fresh_database) as shop:
        yield shop


@pytest.fixture(scope="module")
async def shop_for_all(mock: OidcMock, fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with _open_shop(mock, fresh_database) as shop:
        yield shop


@pytest.fixture
async def shared_shop(shop_for_all: Shop) -> AsyncIterator[Shop]:
    """A shop for tests that leave nothing behind in it."""
    yield shop_for_all
    shop_for_all.issuer.be_honest()


@asynccontextmanager
async def _open_shop(mock: OidcMock, fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with serving_issuer() as issuer:
        app = auth_app(await _settings(fresh_database, mock, issuer))
        async with serving(app) as url:
            yield Shop(url, mock, issuer)


@pytest.fixture
async def browser(shop: Shop) -> AsyncIterator[Browser]:
    async with shop.browser() as browser:
        yield browser


async def _settings(
    fresh_database: FreshDatabase, mock: OidcMock, issuer: Issuer, public_url: str = "http://shop.test"
) -> Settings:
    return Settings(
        identity_secret=SecretStr("identity-secret"),
        service_secret=SecretStr("service-secret"),
        auth_key_secret=SecretStr("key-secret"),
        auth_database_url=SecretStr(await fresh_database("auth")),
        public_url=public_url,
        oidc_providers={
            "mock": OidcProvider(
                issuer=mock.url, client_id="micromart", client_secret=CLIENT_SECRET, label="The Mock"
            ),
            "local": OidcProvider(issuer=issuer.url, client_id="micromart", client_secret=CLIENT_SECRET),
            "down": OidcProvider(issuer=f"http://127.0.0.1:{free_port()}", client_id="micromart"),
        },
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
        subjects.add(_payload(answer.body["access_token"])["sub"])
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
    settings = await _settings(fresh_database, mock, shop.issuer, "https://shop.test")
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


@pytest.mark.parametrize("state", ["", "another", "\ud800".encode("utf-8", "replace").decode(), "é"])
async def test_an_answer_with_another_state_is_refused(shop: Shop, browser: Browser, state: str) -> None:
    await browser.departs("local")
    assert (await browser.returns("local", code="code", state=state)).refusal == STATE_INVALID
    assert "token" not in shop.issuer.asked


async def test_an_answer_without_a_state_is_refused(browser: Browser) -> None:
    await browser.departs("local")
    assert (await browser.returns("local", code="code")).refusal == STATE_INVALID


async def test_an_answer_in_another_browser_is_refused(shop: Shop, browser: Browser) -> None:
    back = await shop.mock.signs_in(await browser.departs("mock"), "ada")
    async with shop.browser() as other:
        assert (await other.arrives(back)).refusal == STATE_INVALID
        await other.departs("mock")
        assert (await other.arrives(back)).refusal == STATE_INVALID
    assert (await browser.arrives(back)).status == 200


async def test_a_cookie_that_was_changed_is_refused(shop: Shop, browser: Browser) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    [cookie] = browser.session.cookie_jar
    for value in (cookie.value[:-4] + "AAAA", "nonsense", "", "%00"):
        browser.session.cookie_jar.clear()
        headers = {"cookie": f"micromart_oidc={value}"}
        answer = await browser.send(
            "GET", f"/v1/auth/oidc/local/callback?code=code&state={state}", headers=headers
        )
        assert answer.refusal == STATE_INVALID


async def test_the_answer_of_one_provider_is_not_taken_for_anothers(shop: Shop, browser: Browser) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("mock", code="code", state=state)).refusal == STATE_INVALID


async def test_a_replayed_answer_is_refused(shop: Shop, browser: Browser) -> None:
    back = await shop.mock.signs_in(await browser.departs("mock"), "ada")
    [cookie] = browser.session.cookie_jar
    kept = {"cookie": f"{cookie.key}={cookie.value}"}
    assert (await browser.arrives(back)).status == 200
    assert (await browser.arrives(back)).refusal == STATE_INVALID
    parts = urlsplit(back)
    answer = await browser.send("GET", f"{parts.path}?{parts.query}", headers=kept)
    assert answer.refusal == REFUSED


async def test_who_declines_at_the_provider_is_not_signed_in(shop: Shop, browser: Browser) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    answer = await browser.returns("local", error="access_denied", state=state)
    assert answer.refusal == REFUSED


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
    assert (await _signed_in(shared_shop)).refusal == (403, "auth.oidc_email_unverified")


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


async def test_a_provider_of_another_name_is_not_believed(shop: Shop, browser: Browser) -> None:
    shop.issuer.metadata = {"issuer": "https://other.example"}
    assert (await browser.send("POST", "/v1/auth/oidc/local/authorize")).refusal == UNAVAILABLE


@pytest.mark.parametrize(
    "endpoint", ["http://elsewhere.example/token", "file:///etc/passwd", "//elsewhere", "", 7, None]
)
async def test_an_endpoint_that_is_not_safe_is_not_called(
    shop: Shop, browser: Browser, endpoint: object
) -> None:
    shop.issuer.metadata = {"token_endpoint": endpoint}
    assert (await browser.send("POST", "/v1/auth/oidc/local/authorize")).refusal == UNAVAILABLE


@pytest.mark.parametrize(
    "answer",
    [
        RedirectResponse("http://127.0.0.1:1/"),
        JSONResponse({}, 500),
        JSONResponse({"error": "invalid_client"}, 401),
        JSONResponse({"access_token": "no id token"}),
        JSONResponse(["no", "object"]),
        Response("<html>"),
        Response("<html>", 429),
        Response(b" " * (MAX_ANSWER_BYTES + 1)),
    ],
)
async def test_a_token_answer_that_is_none_is_an_outage(shared_shop: Shop, answer: Response) -> None:
    shared_shop.issuer.token_answer = answer
    assert (await _signed_in(shared_shop)).refusal == UNAVAILABLE


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": ABSENT},
        {"aud": "another client"},
        {"aud": []},
        {"aud": ABSENT},
        {"aud": ["micromart", "another client"]},
        {"aud": ["micromart", "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"nonce": "another"},
        {"nonce": ABSENT},
        {"nonce": ""},
        {"exp": LONG_AGO},
        {"exp": "tomorrow"},
        {"exp": ABSENT},
        {"iat": FAR_OFF},
        {"iat": ABSENT},
        {"nbf": FAR_OFF},
        {"at_hash": "AAAA"},
        {"at_hash": 7},
        {"sub": ABSENT},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": "a\0"},
        {"sub": 7},
        {"email": 7},
    ],
)
async def test_a_token_whose_claims_do_not_hold_is_refused(shared_shop: Shop, claims: Claims) -> None:
    shared_shop.issuer.claims = claims
    assert (await _signed_in(shared_shop)).refusal == REFUSED


def _unsigned(token: str) -> str:
    return f"{_encoded({'alg': 'none'})}.{token.split('.')[1]}."


def _signed_with(secret: bytes) -> Callable[[str], str]:
    def forge(token: str) -> str:
        signed = f"{_encoded({'alg': 'HS256'})}.{token.split('.')[1]}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    return forge


def _altered(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{_encoded(_payload(token) | {'sub': 'somebody else'})}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        _unsigned,
        _signed_with(b"client-secret"),
        _altered,
        lambda token: token[:-8] + "AAAAAAAA",
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.rpartition(".")[0],
        lambda token: "nonsense",
        lambda token: "",
        lambda token: "é.é.é",
        lambda token: token + "." + token,
    ],
    ids=["none", "hs256", "altered", "signature", "no signature", "two parts", "text", "empty", "é", "six"],
)
async def test_a_forged_token_is_refused(shared_shop: Shop, forge: Callable[[str], str]) -> None:
    shared_shop.issuer.forge = forge
    assert (await _signed_in(shared_shop)).refusal == REFUSED


async def test_a_token_of_an_unpublished_key_is_refused(shop: Shop) -> None:
    shop.issuer.published = [new_key()]
    assert (await _signed_in(shop)).refusal == REFUSED


async def test_a_critical_extension_is_not_ignored(shared_shop: Shop) -> None:
    shared_shop.issuer.forge = lambda token: (
        f"{_encoded({'alg': 'ES256', 'crit': ['x'], 'x': 1})}.{token.partition('.')[2]}"
    )
    assert (await _signed_in(shared_shop)).refusal == REFUSED


async def test_an_algorithm_that_the_provider_does_not_announce_is_refused(shop: Shop) -> None:
    shop.issuer.metadata = {"id_token_signing_alg_values_supported": ["RS256"]}
    assert (await _signed_in(shop)).refusal == REFUSED


async def test_without_the_verifier_of_this_browser_a_code_is_worthless(shop: Shop, browser: Browser) -> None:
    """A code that was stolen from another's sign-in, put into one's own."""
    async with shop.browser() as victim:
        shop.issuer.sign_in(await victim.departs("local"), code="stolen")
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("local", code="stolen", state=state)).refusal == REFUSED


async def test_an_invented_key_is_asked_for_once_a_while(shop: Shop) -> None:
    assert (await _signed_in(shop)).status == 200
    shop.issuer.key, shop.issuer.published = new_key(), [shop.issuer.key]
    for _ in range(3):
        assert (await _signed_in(shop)).refusal == REFUSED
    assert shop.issuer.asked.count("jwks") == 1
    assert shop.issuer.asked.count("discovery") == 1


async def test_keys_of_another_kind_are_passed_over(shop: Shop) -> None:
    shop.issuer.extra_keys = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "EC", "crv": "unheard-of", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": 7},
        {},
    ]
    assert (await _signed_in(shop)).status == 200


async def test_a_rotated_key_is_learned_with_the_first_token_that_it_signs(shared_shop: Shop) -> None:
    issuer, times = shared_shop.issuer, iter(range(0, 1_000, int(COOLDOWN_SECONDS)))
    configured = OidcProvider(issuer=issuer.url, client_id="micromart", client_secret=CLIENT_SECRET)
    async with provider_session() as session:
        provider = Provider(configured, session, "http://shop.test/callback", now=lambda: next(times))
        for _ in range(3):
            flow = Flow.begun("local", datetime.now(UTC))
            issuer.sign_in(await provider.authorization_url(flow))
            assert (await provider.vouched(SecretStr("code"), flow)).subject == "ada"
            issuer.key = new_key()


@pytest.mark.parametrize("issuer", ["https://other.example", ""])
async def test_an_answer_that_names_another_issuer_is_refused(
    shop: Shop, browser: Browser, issuer: str
) -> None:
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("local", code="code", state=state, iss=issuer)).refusal == REFUSED
    assert "token" not in shop.issuer.asked


async def test_an_answer_that_names_its_issuer_is_taken(shop: Shop, browser: Browser) -> None:
    shop.issuer.metadata = {"authorization_response_iss_parameter_supported": True}
    state = shop.issuer.sign_in(await browser.departs("local"))
    assert (await browser.returns("local", code="code", state=state)).refusal == REFUSED
    answer = await browser.returns("local", code="code", state=state, iss=shop.issuer.url)
    assert answer.status == 200


async def test_claims_that_only_userinfo_tells_are_asked_for(shop: Shop) -> None:
    shop.issuer.claims = {"email": ABSENT, "email_verified": ABSENT}
    shop.issuer.userinfo = {"sub": "ada", "email": EMAIL, "email_verified": "true"}
    assert (await _signed_in(shop)).status == 200


async def test_userinfo_about_somebody_else_is_refused(shared_shop: Shop) -> None:
    shared_shop.issuer.claims = {"email": ABSENT}
    shared_shop.issuer.userinfo = {"sub": "eve", "email": EMAIL, "email_verified": True}
    assert (await _signed_in(shared_shop)).refusal == REFUSED


async def _signed_in(shop: Shop) -> Answer:
    """What somebody who has just signed in at the local issuer is answered."""
    async with shop.browser() as browser:
        state = shop.issuer.sign_in(await browser.departs("local"))
        return await browser.returns("local", code="code", state=state)


def _payload(token: str) -> Claims:
    claims: Claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def _encoded(part: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
