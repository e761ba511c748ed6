"""API keys on a real PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from contracts.auth import Scope
from runtime.database import Database
from services.auth.api_keys import USE_NOTED_EVERY, ApiKeys, NewApiKey
from services.auth.errors import ApiKeyRefused, InvalidExpiry, UnknownApiKey
from services.auth.store import AuthStore
from tests.conftest import FreshDatabase

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCOPES = frozenset({Scope.CATALOG_WRITE, Scope.ORDERS_READ})


@dataclass
class Desk:
    """Where keys are made, at a time that the test sets."""

    database: Database
    now: datetime = NOON

    @property
    def keys(self) -> ApiKeys:
        return ApiKeys(AuthStore(self.database), lambda: self.now)

    async def make(self, name: str = "importer", expires_at: datetime | None = None) -> NewApiKey:
        return await self.keys.create(name, SCOPES, created_by="grace", expires_at=expires_at)

    async def last_used_at(self) -> datetime | None:
        [key] = await self.keys.keys(limit=1)
        return key.last_used_at


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    database = Database(await fresh_database("auth"))
    yield Desk(database)
    await database.dispose()


async def test_a_key_says_who_it_is_and_what_it_may_do(desk: Desk) -> None:
    new = await desk.make()
    grant = await desk.keys.check(new.secret)
    assert (grant.key_id, grant.scopes) == (new.key.id, SCOPES)


async def test_no_secret_is_stored(desk: Desk) -> None:
    new = await desk.make()
    async with desk.database.begin() as connection:
        stored = str((await connection.execute(text("SELECT api_keys::text FROM api_keys"))).scalar_one())
    assert new.key.id in stored
    assert new.secret.get_secret_value().rpartition("_")[2] not in stored


async def test_a_key_begins_as_it_is_listed(desk: Desk) -> None:
    new = await desk.make()
    [listed] = await desk.keys.keys(limit=10)
    assert (listed.prefix, listed.name, listed.created_by) == (f"mmk_{new.key.id}", "importer", "grace")
    assert new.secret.get_secret_value().startswith(f"{listed.prefix}_")


async def test_whatever_is_wrong_with_a_key_it_is_refused_alike(desk: Desk) -> None:
    new, other = await desk.make(), await desk.make()
    ended, expired = await desk.make(), await desk.make(expires_at=NOON + timedelta(hours=1))
    await desk.keys.revoke(ended.key.id)
    desk.now = NOON + timedelta(hours=1)
    mixed = f"{new.key.prefix}_{other.secret.get_secret_value().rpartition('_')[2]}"
    wrong = ["", "mmk_", mixed, f"mmk_{'0' * 16}_{'0' * 64}", new.secret.get_secret_value() + "\n", "mmk_é_é"]
    refusals = []
    for secret in [*map(SecretStr, wrong), ended.secret, expired.secret]:
        with pytest.raises(ApiKeyRefused) as refused:
            await desk.keys.check(secret)
        refusals.append(refused.value.refusal)
    assert len(set(refusals)) == 1


async def test_a_key_holds_until_it_expires(desk: Desk) -> None:
    new = await desk.make(expires_at=NOON + timedelta(hours=1))
    desk.now = NOON + timedelta(minutes=59)
    assert (await desk.keys.check(new.secret)).key_id == new.key.id


async def test_a_key_cannot_expire_before_it_is_made(desk: Desk) -> None:
    with pytest.raises(InvalidExpiry):
        await desk.make(expires_at=NOON)
    assert await desk.keys.keys(limit=1) == []


async def test_ending_a_key_again_keeps_the_first_moment(desk: Desk) -> None:
    new = await desk.make()
    for _ in range(2):
        await desk.keys.revoke(new.key.id)
        desk.now += timedelta(hours=1)
    [listed] = await desk.keys.keys(limit=1)
    assert listed.revoked_at == NOON


async def test_a_key_that_nobody_made_cannot_be_ended(desk: Desk) -> None:
    with pytest.raises(UnknownApiKey):
        await desk.keys.revoke("0" * 16)


async def test_a_use_is_noted_once_a_minute(desk: Desk) -> None:
    new = await desk.make()
    assert await desk.last_used_at() is None
    noted = []
    for after in (timedelta(0), USE_NOTED_EVERY / 2, USE_NOTED_EVERY):
        desk.now = NOON + after
        await desk.keys.check(new.secret)
        noted.append(await desk.last_used_at())
    assert noted == [NOON, NOON, NOON + USE_NOTED_EVERY]


async def test_keys_are_listed_newest_first_from_where_a_page_ended(desk: Desk) -> None:
    for number in range(5):
        desk.now = NOON + timedelta(seconds=number // 2)
        await desk.make(f"key {number}")
    listed = await desk.keys.keys(limit=10)
    rest = await desk.keys.keys(after=(listed[1].created_at, listed[1].id), limit=10)
    assert [key.created_at for key in listed] == sorted((key.created_at for key in listed), reverse=True)
    assert rest == listed[2:]


async def test_a_scope_that_is_not_known_opens_nothing(desk: Desk) -> None:
    new = await desk.make()
    async with desk.database.begin() as connection:
        await connection.execute(text("UPDATE api_keys SET scopes = ARRAY['orders:read', 'moon:land']"))
    assert (await desk.keys.check(new.secret)).scopes == {Scope.ORDERS_READ}
