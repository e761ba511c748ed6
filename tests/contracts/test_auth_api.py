"""Auth's routes over HTTP, as a client and as the gateway sees them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr

from api.auth.app import auth_app
from contracts.identity import IDENTITY_HEADER, Identity, Role
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from tests.conftest import FreshDatabase
from tests.http_server import serving

EMAIL, PASSWORD = "ada@example.com", "correct horse"
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
SIGNER = IdentitySigner("identity-secret")
SERVICE_SECRET = "service-secret"


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str]:
        assert self.headers["content-type"] == "application/problem+json"
        return self.status, self.json["code"]


@dataclass(frozen=True)
class Client:
    session: aiohttp.ClientSession

    async def post(self, path: str, body: object = None, caller: Identity | None = None) -> Answer:
        return await self._send("POST", path, caller, json=body)

    async def get(self, path: str, caller: Identity | None = None) -> Answer:
        return await self._send("GET", path, caller)

    async def signed_in(self) -> Any:
        await self.post("/v1/auth/register", CREDENTIALS)
        return (await self.post("/v1/auth/login", CREDENTIALS)).json

    async def caller(self, tokens: Any) -> Identity:
        """Whom the gateway would pass on for these tokens: it verifies them by the published keys."""
        keys = KeySet.import_key_set((await self.get("/.well-known/jwks.json")).json)
        token = jwt.decode(tokens["access_token"], keys, algorithms=["ES256"])
        assert token.header["typ"] == "at+jwt"
        roles = frozenset(map(Role, token.claims["roles"]))
        return Identity(subject=token.claims["sub"], roles=roles, session=token.claims["sid"])

    async def _send(self, method: str, path: str, caller: Identity | None, **options: Any) -> Answer:
        headers = {IDENTITY_HEADER: SIGNER.sign(caller)} if caller is not None else {}
        async with self.session.request(method, path, headers=headers, **options) as response:
            return Answer(response.status, await response.text(), response.headers)


@pytest.fixture
async def client(fresh_database: FreshDatabase) -> AsyncIterator[Client]:
    settings = Settings(
        identity_secret=SecretStr("identity-secret"),
        service_secret=SecretStr(SERVICE_SECRET),
        auth_key_secret=SecretStr("key-secret"),
        auth_database_url=SecretStr(await fresh_database("auth")),
    )
    async with serving(auth_app(settings)) as url, aiohttp.ClientSession(url) as session:
        yield Client(session)


async def test_a_registration_answers_the_account(client: Client) -> None:
    answer = await client.post("/v1/auth/register", CREDENTIALS | {"name": "Ada"})
    account = answer.json
    assert answer.status == 201
    assert account.pop("id")
    assert account == {"email": EMAIL, "name": "Ada", "roles": ["customer"]}


async def test_a_name_may_be_left_out(client: Client) -> None:
    answer = await client.post("/v1/auth/register", CREDENTIALS)
    assert (answer.status, answer.json["name"]) == (201, None)


async def test_a_taken_email_is_a_conflict(client: Client) -> None:
    await client.post("/v1/auth/register", CREDENTIALS)
    answer = await client.post("/v1/auth/register", CREDENTIALS | {"email": EMAIL.upper()})
    assert answer.refusal == (409, "auth.email_taken")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "nobody"}, "auth.invalid_email"),
        ({"password": "short"}, "auth.invalid_password"),
        ({"name": "A\0"}, "auth.invalid_name"),
        ({"password": 12345678}, "request.invalid"),
        ({"roles": ["admin"]}, "request.invalid"),
    ],
)
async def test_a_registration_that_breaks_a_rule_is_refused(
    client: Client, change: dict[str, object], code: str
) -> None:
    answer = await client.post("/v1/auth/register", CREDENTIALS | change)
    assert answer.refusal == (422, code)


@pytest.mark.parametrize("route", ["register", "login"])
async def test_a_refused_body_is_not_echoed(client: Client, route: str) -> None:
    answer = await client.post(f"/v1/auth/{route}", {"password": PASSWORD, "surprise": PASSWORD})
    assert answer.refusal == (422, "request.invalid")
    assert {problem["at"] for problem in answer.json["errors"]} == {"/body/email", "/body/surprise"}
    assert PASSWORD not in answer.body


async def test_a_sign_in_answers_bearer_tokens_that_no_cache_keeps(client: Client) -> None:
    await client.post("/v1/auth/register", CREDENTIALS)
    answer = await client.post("/v1/auth/login", CREDENTIALS)
    tokens = answer.json
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)


async def test_a_wrong_password_and_an_unknown_email_answer_alike(client: Client) -> None:
    await client.post("/v1/auth/register", CREDENTIALS)
    wrong = await client.post("/v1/auth/login", CREDENTIALS | {"password": "battery staple"})
    unknown = await client.post("/v1/auth/login", CREDENTIALS | {"email": "eve@example.com"})
    assert wrong.refusal == (401, "auth.bad_credentials")
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)


async def test_a_refresh_rotates_and_those_at_the_same_time_answer_alike(client: Client) -> None:
    first = {"refresh_token": (await client.signed_in())["refresh_token"]}
    answers = await asyncio.gather(*(client.post("/v1/auth/refresh", first) for _ in range(100)))
    assert {(answer.status, answer.headers["cache-control"]) for answer in answers} == {(200, "no-store")}
    assert len({answer.body for answer in answers}) == 1
    second = {"refresh_token": answers[0].json["refresh_token"]}
    assert (await client.post("/v1/auth/refresh", second)).status == 200


async def test_a_logout_ends_the_session_of_the_callers_token(client: Client) -> None:
    tokens = await client.signed_in()
    answer = await client.post("/v1/auth/logout", caller=await client.caller(tokens))
    assert (answer.status, answer.body) == (204, "")
    refused = await client.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refused.refusal == (401, "auth.invalid_refresh_token")


async def test_me_is_whoever_the_token_says(client: Client) -> None:
    caller = await client.caller(await client.signed_in())
    answer = await client.get("/v1/auth/me", caller)
    account = answer.json
    assert account.pop("created_at").endswith("Z")
    assert (answer.status, account) == (
        200,
        {
            "id": caller.subject,
            "email": EMAIL,
            "name": None,
            "roles": ["customer"],
            "email_verified": False,
        },
    )


async def test_without_a_caller_there_is_no_me_and_no_logout(client: Client) -> None:
    assert (await client.get("/v1/auth/me")).refusal == (401, "auth.unauthenticated")
    assert (await client.post("/v1/auth/logout")).refusal == (401, "auth.unauthenticated")


async def test_the_key_set_is_public_and_cacheable(client: Client) -> None:
    answer = await client.get("/.well-known/jwks.json")
    [key] = answer.json["keys"]
    assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=300")
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


async def test_it_is_ready_when_it_can_sign(client: Client) -> None:
    assert (await client.get("/readyz")).status == 200
