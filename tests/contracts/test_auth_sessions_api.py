"""The routes of sessions over HTTP, as their owner and the gateway see them."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from joserfc import jws
from pydantic import SecretStr

from api.auth.app import auth_app
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from tests.conftest import FreshDatabase
from tests.http_server import serving

CREDENTIALS = {"email": "ada@example.com", "password": "correct horse"}
SESSIONS, REFRESH, ENDED = "/v1/auth/sessions", "/v1/auth/refresh", "/internal/sessions/ended"
SIGNER = IdentitySigner("identity-secret")
NOBODY = Identity(subject="nobody")
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Client:
    session: aiohttp.ClientSession

    async def call(
        self,
        method: str,
        path: str,
        caller: Identity | None = None,
        body: object = None,
        headers: Mapping[str, str] = NOTHING,
    ) -> tuple[int, Any]:
        word = {IDENTITY_HEADER: SIGNER.sign(caller)} if caller is not None else {}
        async with self.session.request(method, path, json=body, headers={**headers, **word}) as response:
            return response.status, await response.json(content_type=None) if response.status != 204 else None

    async def refusal(self, method: str, path: str, caller: Identity | None = None) -> tuple[int, str]:
        status, problem = await self.call(method, path, caller)
        return status, problem["code"]

    async def signed_in(self, headers: Mapping[str, str] = NOTHING) -> tuple[Any, Identity]:
        """The tokens of another session of Ada's, and whom the gateway passes on for them."""
        _, tokens = await self.call("POST", "/v1/auth/login", body=CREDENTIALS, headers=headers)
        claims = jws.extract_compact(tokens["access_token"].encode()).payload
        return tokens, Identity.model_validate(caller_in(claims))

    async def ended(self, caller: str = "gateway", **asked: str) -> tuple[int, Any]:
        """What a process of ours is told."""
        proof = ServiceProof("service-secret", caller).for_listener("auth")
        return await self.call("GET", f"{ENDED}?{urlencode(asked)}", headers={SERVICE_HEADER: proof})


def caller_in(claims: bytes) -> dict[str, Any]:
    named = json.loads(claims)
    return {"subject": named["sub"], "session": named["sid"], "roles": named["roles"]}


@pytest.fixture
async def client(fresh_database: FreshDatabase) -> AsyncIterator[Client]:
    settings = Settings(
        identity_secret=SecretStr("identity-secret"),
        service_secret=SecretStr("service-secret"),
        auth_key_secret=SecretStr("key-secret"),
        auth_database_url=SecretStr(await fresh_database("auth")),
    )
    async with serving(auth_app(settings)) as url, aiohttp.ClientSession(url) as session:
        client = Client(session)
        await client.call("POST", "/v1/auth/register", body=CREDENTIALS)
        yield client


async def test_my_sessions_are_listed_with_where_they_were_opened(client: Client) -> None:
    phone = {"x-forwarded-for": "203.0.113.7", "user-agent": "Phone/1"}
    _, there = await client.signed_in(phone)
    _, here = await client.signed_in()
    _, page = await client.call("GET", SESSIONS, here)
    newest, oldest = page["items"]
    assert (newest["id"], newest["current"], newest["address"]) == (here.session, True, "127.0.0.1")
    assert (oldest["id"], oldest["current"]) == (there.session, False)
    assert (oldest["address"], oldest["user_agent"]) == ("203.0.113.7", "Phone/1")
    assert oldest.keys() == {"id", "created_at", "last_used_at", "address", "user_agent", "current"}


async def test_what_a_client_says_of_itself_is_kept_bounded(client: Client) -> None:
    _, caller = await client.signed_in({"x-forwarded-for": "<script>", "user-agent": "x" * 2_000})
    [session] = (await client.call("GET", SESSIONS, caller))[1]["items"]
    assert (session["address"], session["user_agent"]) == (None, "x" * 200)


async def test_sessions_come_in_pages(client: Client) -> None:
    for _ in range(3):
        _, caller = await client.signed_in()
    _, first = await client.call("GET", f"{SESSIONS}?limit=2", caller)
    _, last = await client.call("GET", f"{SESSIONS}?limit=2&cursor={first['next_cursor']}", caller)
    assert len({item["id"] for item in first["items"] + last["items"]}) == 3
    assert last["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["nonsense", "WyIyMDI2IiwxXQ", "WyJ4IiwieSJd"])
async def test_a_cursor_that_is_not_ours_is_refused(client: Client, cursor: str) -> None:
    assert await client.refusal("GET", f"{SESSIONS}?cursor={cursor}", NOBODY) == (
        422,
        "request.invalid_cursor",
    )


async def test_i_end_one_of_my_sessions(client: Client) -> None:
    lost, there = await client.signed_in()
    _, here = await client.signed_in()
    for _ in range(2):
        assert (await client.call("DELETE", f"{SESSIONS}/{there.session}", here))[0] == 204
    status, _ = await client.call("POST", REFRESH, body={"refresh_token": lost["refresh_token"]})
    assert status == 401
    assert [item["id"] for item in (await client.call("GET", SESSIONS, here))[1]["items"]] == [here.session]


async def test_anothers_session_is_not_found(client: Client) -> None:
    tokens, caller = await client.signed_in()
    for path in (f"{SESSIONS}/{caller.session}", f"{SESSIONS}/%00"):
        assert await client.refusal("DELETE", path, NOBODY) == (404, "auth.session_unknown")
    assert (await client.call("POST", REFRESH, body={"refresh_token": tokens["refresh_token"]}))[0] == 200


@pytest.mark.parametrize(
    ("id_", "refusal"),
    [("x" * 64, (404, "auth.session_unknown")), ("x" * 65, (422, "request.invalid"))],
)
async def test_a_sessions_id_has_an_end(client: Client, id_: str, refusal: tuple[int, str]) -> None:
    assert await client.refusal("DELETE", f"{SESSIONS}/{id_}", NOBODY) == refusal


async def test_i_sign_out_everywhere(client: Client) -> None:
    sessions = [await client.signed_in() for _ in range(2)]
    assert (await client.call("DELETE", SESSIONS, sessions[0][1]))[0] == 204
    for tokens, _ in sessions:
        assert (await client.call("POST", REFRESH, body={"refresh_token": tokens["refresh_token"]}))[0] == 401


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/any")])
async def test_without_a_caller_there_are_no_sessions(client: Client, method: str, path: str) -> None:
    assert await client.refusal(method, SESSIONS + path) == (401, "auth.unauthenticated")


async def test_the_gateway_is_told_which_sessions_have_ended(client: Client) -> None:
    _, caller = await client.signed_in()
    before = (await client.ended())[1]
    await client.call("POST", "/v1/auth/logout", caller)
    _, told = await client.ended(after=before["now"])
    assert ([item["session"] for item in told["items"]], before["items"]) == ([caller.session], [])
    assert (await client.ended(after=told["now"]))[1]["items"] == []


async def test_the_gateway_is_told_in_pages(client: Client) -> None:
    callers = [(await client.signed_in())[1] for _ in range(3)]
    await client.call("DELETE", SESSIONS, callers[0])
    _, first = await client.ended(limit="2")
    _, last = await client.ended(limit="2", cursor=first["next_cursor"])
    told = [item["session"] for page in (first, last) for item in page["items"]]
    assert (len(first["items"]), last["next_cursor"]) == (2, None)
    assert told == sorted(caller.session or "" for caller in callers)


async def test_a_gateway_that_is_older_than_pages_is_told_everything_at_once(client: Client) -> None:
    callers = [(await client.signed_in())[1] for _ in range(3)]
    await client.call("DELETE", SESSIONS, callers[0])
    _, told = await client.ended()
    assert (len(told["items"]), told["next_cursor"]) == (3, None)


@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "2001"}, {"limit": "1", "cursor": "nonsense"}])
async def test_no_other_page_is_told(client: Client, asked: dict[str, str]) -> None:
    assert (await client.ended(**asked))[0] == 422


async def test_nobody_but_the_gateway_is_told(client: Client) -> None:
    assert await client.refusal("GET", ENDED) == (401, "auth.service_invalid")
    assert (await client.ended("orders"))[0] == 403


async def test_a_time_without_a_zone_is_refused(client: Client) -> None:
    assert (await client.ended(after="2026-01-01T00:00:00"))[0] == 422
