"""A shop whose customers sign in with OpenID providers: one in a process of its own and one that lies."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr

from api.auth.app import auth_app
from runtime.settings import OidcProvider, Settings
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.oidc_issuer import Claims, Issuer, OidcMock, serving_issuer
from tests.ports import free_port

EMAIL = "ada@example.com"
CLIENT_SECRET = SecretStr("client-secret")
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


@asynccontextmanager
async def open_shop(mock: OidcMock, fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with serving_issuer() as issuer:
        app = auth_app(await shop_settings(fresh_database, mock, issuer))
        async with serving(app) as url:
            yield Shop(url, mock, issuer)


async def shop_settings(
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


async def signed_in(shop: Shop) -> Answer:
    """What somebody who has just signed in at the local issuer is answered."""
    async with shop.browser() as browser:
        state = shop.issuer.sign_in(await browser.departs("local"))
        return await browser.returns("local", code="code", state=state)


def payload(token: str) -> Claims:
    claims: Claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def encoded(part: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
