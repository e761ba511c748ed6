"""What auth shows admins and tells the gateway: machines' keys and the staff's trail."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from api.auth.app import auth_app
from api.gateway.staff_actions import StaffActionNotNoted, StaffActions
from contracts.auth import ApiKeyCheck, ApiKeyGrant, StaffAction
from contracts.errors import Refused
from contracts.identity import IDENTITY_HEADER, Identity, Role
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.polling import until
from tests.ports import free_port

SECRET = "a secret of the tests"
PATIENCE_SECONDS = 30.0
KEYS, TRAIL = "/v1/admin/api-keys", "/v1/admin/staff-actions"
IMPORTER = {"name": "importer", "scopes": ["orders:read", "catalog:write"]}
Query = Mapping[str, str]
NO_QUERY: Query = MappingProxyType({})
SHIP = StaffAction(
    actor="grace",
    method="POST",
    route="/v1/fulfilments/{order_id}/ship",
    path="/v1/fulfilments/42/ship",
    request_id="r" * 32,
    trace_id="t" * 32,
    address="203.0.113.7",
)


class PatientClient(ServiceClient):
    """Gives its peer longer than anybody asks for: a machine that stalls is no outage."""

    async def call(self, *asked: Any, timeout: float = 0.0, **details: Any) -> Any:
        return await super().call(*asked, timeout=PATIENCE_SECONDS, **details)


def edge_over(auth: ServiceClient) -> StaffActions:
    return StaffActions(auth, drain_seconds=PATIENCE_SECONDS)


@dataclass(frozen=True)
class Office:
    """Auth behind a socket, called by an admin unless told otherwise."""

    session: aiohttp.ClientSession
    gateway: ServiceClient

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        role: Role | None = Role.ADMIN,
        query: Query = NO_QUERY,
    ) -> tuple[int, Any]:
        headers = {}
        if role is not None:
            identity = Identity(subject="grace", roles=frozenset({role}))
            headers[IDENTITY_HEADER] = IdentitySigner(SECRET).sign(identity)
        async with self.session.request(method, path, json=body, params=query, headers=headers) as response:
            return response.status, await response.json(content_type=None) if response.status != 204 else None

    async def make(self, **fields: object) -> Any:
        status, made = await self.call("POST", KEYS, IMPORTER | fields)
        assert status == 201
        return made

    async def check(self, key: str) -> ApiKeyGrant:
        check = ApiKeyCheck(key=SecretStr(key))
        return await self.gateway.call("POST", "/internal/api-keys/checks", ApiKeyGrant, body=check)

    async def trail(self, query: Query = NO_QUERY) -> Any:
        status, page = await self.call("GET", TRAIL, query=query)
        assert status == 200
        return page["items"]


@pytest.fixture
async def office(fresh_database: FreshDatabase) -> AsyncIterator[Office]:
    secret = SecretStr(SECRET)
    settings = Settings(
        identity_secret=secret,
        service_secret=secret,
        auth_key_secret=secret,
        auth_database_url=SecretStr(await fresh_database("auth")),
    )
    async with (
        serving(auth_app(settings)) as url,
        aiohttp.ClientSession(url) as session,
        PatientClient(url, "auth", ServiceProof(SECRET, "gateway")) as gateway,
    ):
        yield Office(session, gateway)


async def test_a_key_is_shown_once_and_holds(office: Office) -> None:
    made = await office.make()
    key = made.pop("key")
    status, page = await office.call("GET", KEYS)
    assert (status, page) == (200, {"items": [made], "next_cursor": None})
    assert (made["prefix"], made["created_by"]) == (f"mmk_{made['id']}", "grace")
    assert made["scopes"] == ["catalog:write", "orders:read"]
    assert (await office.check(key)).model_dump(mode="json")["key_id"] == made["id"]


async def test_a_revoked_key_is_refused_and_listed_so(office: Office) -> None:
    made = await office.make()
    assert await office.call("DELETE", f"{KEYS}/{made['id']}") == (204, None)
    assert await office.call("DELETE", f"{KEYS}/{made['id']}") == (204, None)
    with pytest.raises(Refused) as refused:
        await office.check(made["key"])
    assert refused.value.refusal.code == "auth.api_key_invalid"
    assert (await office.call("GET", KEYS))[1]["items"][0]["revoked_at"] is not None


async def test_a_key_that_nobody_made_is_not_found(office: Office) -> None:
    status, problem = await office.call("DELETE", f"{KEYS}/nobody-has-it")
    assert (status, problem["code"]) == (404, "auth.unknown_api_key")


async def test_keys_are_listed_in_pages(office: Office) -> None:
    made = [(await office.make(name=f"key {number}"))["id"] for number in range(3)]
    _, first = await office.call("GET", KEYS, query={"limit": "2"})
    _, rest = await office.call("GET", KEYS, query={"limit": "2", "cursor": first["next_cursor"]})
    assert [key["id"] for key in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": ""}, "request.invalid"),
        ({"name": " "}, "request.invalid"),
        ({"name": "a\0b"}, "request.invalid"),
        ({"name": "x" * 101}, "request.invalid"),
        ({"name": "importer \u202eretropxe"}, "request.invalid"),
        ({"name": "importer\u0085"}, "request.invalid"),
        ({"name": "\u200b"}, "request.invalid"),
        ({"scopes": []}, "request.invalid"),
        ({"scopes": ["moon:land"]}, "request.invalid"),
        ({"scopes": ["orders:read", "orders:read"]}, "request.invalid"),
        ({"expires_at": "2026-11-22T12:00:00"}, "request.invalid"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "request.invalid"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "auth.invalid_expiry"),
        ({"id": "mine"}, "request.invalid"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(
    office: Office, fields: dict[str, object], code: str
) -> None:
    status, problem = await office.call("POST", KEYS, IMPORTER | fields)
    assert (status, problem["code"]) == (422, code)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", KEYS), ("POST", KEYS), ("DELETE", f"{KEYS}/x"), ("GET", TRAIL)]
)
async def test_both_are_for_admins_only(office: Office, method: str, path: str) -> None:
    body = IMPORTER if method == "POST" else None
    answers = [await office.call(method, path, body, role) for role in (None, Role.CUSTOMER, Role.STAFF)]
    assert [status for status, _ in answers] == [401, 403, 403]


async def test_what_the_gateway_notes_is_in_the_trail_with_its_end(office: Office) -> None:
    async with edge_over(office.gateway) as edge:
        action_id = await edge.note(SHIP)
        assert [(item["id"], item["status"]) for item in await office.trail()] == [(action_id, None)]
        edge.ended(action_id, 202)

        async def is_told() -> bool:
            return (await office.trail())[0]["status"] is not None

        await until(is_told)
    [item] = await office.trail()
    assert item["status"] == 202
    assert {name: item[name] for name in SHIP.model_dump()} == SHIP.model_dump()


async def test_an_end_that_still_waits_is_told_when_the_gateway_closes(office: Office) -> None:
    async with edge_over(office.gateway) as edge:
        noted = [await edge.note(SHIP) for _ in range(20)]
        for action_id in noted:
            edge.ended(action_id, 201)
    assert {item["status"] for item in await office.trail({"limit": "20"})} == {201}


async def test_an_end_of_something_that_nobody_noted_does_not_hold_up_the_others(office: Office) -> None:
    async with edge_over(office.gateway) as edge:
        action_id = await edge.note(SHIP)
        edge.ended("nobody-noted-it", 200)
        edge.ended(action_id, 200)
    assert [item["status"] for item in await office.trail()] == [200]


async def test_while_auth_is_away_nothing_is_noted_and_nothing_to_be_done() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    async with (
        ServiceClient(nowhere, "auth", ServiceProof(SECRET, "gateway")) as auth,
        edge_over(auth) as edge,
    ):
        with pytest.raises(StaffActionNotNoted):
            await edge.note(SHIP)


async def test_where_auth_does_not_take_the_gateway_for_ours_nothing_is_to_be_done(office: Office) -> None:
    url = str(office.session._base_url)
    stranger = ServiceClient(url, "auth", ServiceProof("another secret", "gateway"))
    async with stranger as auth, edge_over(auth) as edge:
        with pytest.raises(StaffActionNotNoted):
            await edge.note(SHIP)


async def test_the_trail_is_read_in_parts(office: Office) -> None:
    async with edge_over(office.gateway) as edge:
        for actor in ("grace", "ada", "grace"):
            await edge.note(SHIP.model_copy(update={"actor": actor}))
    first = await office.call("GET", TRAIL, query={"limit": "2"})
    rest = await office.trail({"limit": "2", "cursor": first[1]["next_cursor"]})
    assert [item["actor"] for item in first[1]["items"] + rest] == ["grace", "ada", "grace"]
    assert len(await office.trail({"actor": "ada"})) == 1
    assert await office.trail({"until": rest[0]["noted_at"]}) == []
    assert len(await office.trail({"from": first[1]["items"][0]["noted_at"]})) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"until": "2026-11-22T12:00:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"actor": "a\0b"},
        {"limit": "0"},
        {"cursor": "%"},
        {"cursor": "WyJ4IiwgInkiXQ"},
    ],
)
async def test_what_cannot_be_asked_is_refused(office: Office, query: dict[str, str]) -> None:
    assert (await office.call("GET", TRAIL, query=query))[0] == 422
