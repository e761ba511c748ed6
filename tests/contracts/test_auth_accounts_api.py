"""Passwords and mailed links over HTTP, as a client, the gateway and notifications see them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.auth.app import auth_app
from contracts.auth import EMAIL_VERIFICATION_REQUESTED, PASSWORD_RESET_REQUESTED, MailedToken
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity
from runtime.database import Database
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from services.auth.factory import open_reset_requests
from services.notifications.errors import Bounced
from services.notifications.peers import AuthPeer
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.stores.outbox import events_about

EMAIL, PASSWORD, NEW_PASSWORD = "ada@example.com", "correct horse", "battery staple"
SIGNER = IdentitySigner("identity-secret")
ADDRESS = "192.0.2.1"


@dataclass(frozen=True)
class Answer:
    status: int
    code: str | None
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Shop:
    settings: Settings
    url: str
    session: aiohttp.ClientSession
    database: Database
    caller: Identity

    async def send(
        self, method: str, path: str, body: object = None, *, caller: Identity | None = None
    ) -> Answer:
        headers = {"x-forwarded-for": ADDRESS}
        if caller is not None:
            headers[IDENTITY_HEADER] = SIGNER.sign(caller)
        async with self.session.request(method, path, json=body, headers=headers) as response:
            answered: Any = await response.json(content_type=None) if await response.read() else None
            code = answered["code"] if response.status >= 400 else None
            return Answer(response.status, code, answered, response.headers)

    async def post(self, path: str, body: object = None, *, caller: Identity | None = None) -> Answer:
        return await self.send("POST", f"/v1/auth{path}", body, caller=caller)

    async def login(self, password: str) -> Answer:
        return await self.post("/login", {"email": EMAIL, "password": password})

    async def mailed(self, event_type: str) -> MailedToken:
        """What notifications learns where it writes the newest mail of this kind."""
        told = await events_about(self.database, self.caller.subject)
        mail_id = [one.data["mail_id"] for one in told if one.type == event_type][-1]
        proof = ServiceProof("service-secret", "notifications")
        async with ServiceClient(self.url, "auth", proof) as client:
            return await AuthPeer(client).mailed_token(str(mail_id))

    async def reset_token(self) -> str:
        assert (await self.post("/password/forgotten", {"email": EMAIL})).status == 202
        async with open_reset_requests(self.settings) as requests:
            await requests.answer()
        return (await self.mailed(PASSWORD_RESET_REQUESTED)).token.get_secret_value()


async def session_of(database: Database, user_id: str) -> str:
    """The one session of a user."""
    query = text("SELECT id FROM refresh_families WHERE user_id = :user_id")
    async with database.begin() as connection:
        return str((await connection.execute(query, {"user_id": user_id})).scalar_one())


@pytest.fixture
async def shop(fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    settings = Settings(
        identity_secret=SecretStr("identity-secret"),
        service_secret=SecretStr("service-secret"),
        auth_key_secret=SecretStr("key-secret"),
        auth_database_url=SecretStr(await fresh_database("auth")),
        sign_in_failures_per_account=2,
    )
    database = Database(settings.database_url("auth"))
    async with serving(auth_app(settings)) as url, aiohttp.ClientSession(url) as session:
        async with session.post("/v1/auth/register", json={"email": EMAIL, "password": PASSWORD}) as answer:
            user_id = (await answer.json())["id"]
        async with session.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD}) as answer:
            assert answer.status == 200
        caller = Identity(subject=user_id, session=await session_of(database, user_id))
        yield Shop(settings, url, session, database, caller)
    await database.dispose()


async def test_a_password_is_changed(shop: Shop) -> None:
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = await shop.post("/password", change, caller=shop.caller)
    assert (answer.status, answer.body) == (204, None)
    assert (await shop.login(NEW_PASSWORD)).status == 200


async def test_a_session_that_has_ended_changes_no_password(shop: Shop) -> None:
    """The gateway may hear of its end a second later."""
    assert (await shop.post("/logout", caller=shop.caller)).status == 204
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = await shop.post("/password", change, caller=shop.caller)
    assert (answer.status, answer.code) == (401, "auth.session_ended")


async def test_nobody_changes_a_password_without_being_signed_in(shop: Shop) -> None:
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await shop.post("/password", change)).status == 401


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"current_password": "wrong horse"}, "auth.wrong_password"),
        ({"new_password": "short"}, "auth.invalid_password"),
        ({"new_password": "Password1!"}, "auth.common_password"),
        ({"new_password": 1}, "request.invalid"),
    ],
)
async def test_a_change_that_breaks_a_rule_is_refused(
    shop: Shop, change: dict[str, object], code: str
) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD} | change
    answer = await shop.post("/password", body, caller=shop.caller)
    assert (answer.status, answer.code) == (422, code)


async def test_forgetting_is_answered_alike_for_everybody(shop: Shop) -> None:
    answers = [
        await shop.post("/password/forgotten", {"email": email})
        for email in (EMAIL, "nobody@example.com", "no address")
    ]
    assert [(answer.status, answer.body) for answer in answers] == [(202, None)] * 3
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1


async def test_a_forgotten_password_is_set_by_the_mailed_token(shop: Shop) -> None:
    reset = {"token": await shop.reset_token(), "new_password": NEW_PASSWORD}
    assert (await shop.post("/password/reset", reset)).status == 204
    again = await shop.post("/password/reset", reset)
    assert (again.status, again.code) == (422, "auth.link_invalid")
    assert (await shop.login(NEW_PASSWORD)).status == 200


async def test_an_address_is_verified_by_the_mailed_token(shop: Shop) -> None:
    before = await shop.send("GET", "/v1/auth/me", caller=shop.caller)
    token = (await shop.mailed(EMAIL_VERIFICATION_REQUESTED)).token.get_secret_value()
    assert (await shop.post("/email/verify", {"token": token})).status == 204
    after = await shop.send("GET", "/v1/auth/me", caller=shop.caller)
    assert (before.body["email_verified"], after.body["email_verified"]) == (False, True)


async def test_another_verification_may_be_asked_for(shop: Shop) -> None:
    answer = await shop.post("/email/verification", caller=shop.caller)
    assert (answer.status, answer.body) == (202, None)


async def test_a_used_link_is_not_mailed(shop: Shop) -> None:
    token = (await shop.mailed(EMAIL_VERIFICATION_REQUESTED)).token.get_secret_value()
    await shop.post("/email/verify", {"token": token})
    with pytest.raises(Bounced):
        await shop.mailed(EMAIL_VERIFICATION_REQUESTED)


@pytest.mark.parametrize("service", [None, "orders", "gateway"])
async def test_nobody_but_notifications_is_told_a_links_secret(shop: Shop, service: str | None) -> None:
    proof = {SERVICE_HEADER: ServiceProof("service-secret", service).for_listener("auth")} if service else {}
    async with shop.session.get("/internal/mails/any/token", headers=proof) as response:
        assert response.status in (401, 403)


async def test_too_many_attempts_say_when_to_come_back(shop: Shop) -> None:
    for _ in range(2):
        assert (await shop.login("wrong horse")).code == "auth.bad_credentials"
    answer = await shop.login(PASSWORD)
    assert (answer.status, answer.code) == (429, "auth.too_many_attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 60
