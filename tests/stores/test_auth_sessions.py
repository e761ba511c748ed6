"""Sessions and signing keys on a real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr
from sqlalchemy import text

from contracts.identity import Identity, Role
from runtime.database import Database
from runtime.settings import MissingSetting, Settings
from services.auth.errors import InvalidRefreshToken, SigningKeyUnreadable, TokenReused
from services.auth.factory import open_auth
from services.auth.passwords import Passwords
from services.auth.service import Accounts, Sessions, Tokens
from services.auth.signing import KeySeal
from services.auth.store import AuthStore
from tests.conftest import FreshDatabase

EMAIL, PASSWORD = "ada@example.com", SecretStr("correct horse")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ACCESS, REFRESH = timedelta(minutes=15), timedelta(days=30)


class MovableClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Parts:
    database: Database
    accounts: Accounts
    sessions: Sessions
    clock: MovableClock

    async def refresh(self, tokens: Tokens) -> Tokens:
        return await self.sessions.refresh(SecretStr(tokens.refresh_token))

    async def claims(self, tokens: Tokens) -> dict[str, Any]:
        public = await self.sessions.public_keys()
        keys = KeySet.import_key_set({"keys": [key.model_dump() for key in public]})
        return jwt.decode(tokens.access_token, keys, algorithms=["ES256"]).claims

    async def rows(self, query: str) -> list[Any]:
        async with self.database.begin() as connection:
            return [row[0] for row in await connection.execute(text(query))]

    async def reasons(self) -> list[Any]:
        return await self.rows("SELECT reason FROM refresh_families ORDER BY created_at")


def sessions_of(accounts: Accounts, database: Database, clock: MovableClock, secret: str) -> Sessions:
    return Sessions(
        AuthStore(database),
        accounts,
        KeySeal(secret),
        access_lifetime=ACCESS,
        refresh_lifetime=REFRESH,
        clock=clock,
    )


@pytest.fixture
async def parts(fresh_database: FreshDatabase) -> AsyncIterator[Parts]:
    database = Database(await fresh_database("auth"))
    clock = MovableClock()
    with Passwords(CHEAP) as passwords:
        accounts = Accounts(AuthStore(database), passwords, clock)
        await accounts.register(EMAIL, PASSWORD)
        yield Parts(database, accounts, sessions_of(accounts, database, clock, "secret"), clock)
    await database.dispose()


async def test_an_access_token_names_the_user_the_roles_and_the_session(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    claims = await parts.claims(tokens)
    [user] = await parts.accounts.users(1)
    assert [claims["sid"]] == await parts.rows("SELECT id FROM refresh_families")
    assert (claims["sub"], claims["roles"]) == (user.id, ["customer"])
    assert claims["exp"] - claims["iat"] == tokens.expires_in == 900


async def test_a_refresh_keeps_the_session_and_spends_the_token(parts: Parts) -> None:
    first = await parts.sessions.login(EMAIL, PASSWORD)
    second = await parts.refresh(first)
    third = await parts.refresh(second)
    sessions = {(await parts.claims(tokens))["sid"] for tokens in (first, second, third)}
    assert len(sessions) == 1
    assert len({tokens.refresh_token for tokens in (first, second, third)}) == 3


async def test_a_reused_token_ends_its_session_for_good(parts: Parts) -> None:
    first = await parts.sessions.login(EMAIL, PASSWORD)
    second = await parts.refresh(first)
    with pytest.raises(TokenReused):
        await parts.refresh(first)
    with pytest.raises(InvalidRefreshToken):
        await parts.refresh(second)
    assert await parts.reasons() == ["token_reused"]


async def test_a_reused_token_leaves_the_users_other_sessions_alone(parts: Parts) -> None:
    stolen = await parts.sessions.login(EMAIL, PASSWORD)
    other = await parts.sessions.login(EMAIL, PASSWORD)
    await parts.refresh(stolen)
    with pytest.raises(TokenReused):
        await parts.refresh(stolen)
    await parts.refresh(other)


async def test_of_refreshes_that_race_for_a_token_one_wins(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    answers = await asyncio.gather(*(parts.refresh(tokens) for _ in range(20)), return_exceptions=True)
    assert Counter(type(answer) for answer in answers) == {Tokens: 1, TokenReused: 19}


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "\ud800"])
async def test_a_token_that_was_never_issued_is_refused(parts: Parts, token: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        await parts.sessions.refresh(SecretStr(token))


async def test_a_session_ends_a_fixed_time_after_its_login(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    parts.clock.now = START + REFRESH - timedelta(seconds=1)
    tokens = await parts.refresh(tokens)
    parts.clock.now = START + REFRESH
    with pytest.raises(InvalidRefreshToken):
        await parts.refresh(tokens)


async def test_a_refresh_token_is_stored_as_its_hash_only(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    [stored] = await parts.rows("SELECT hash FROM refresh_tokens")
    assert len(stored) == 32
    assert tokens.refresh_token.encode() not in stored


async def test_tokens_do_not_show_when_printed(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    assert tokens.refresh_token not in repr(tokens)
    assert tokens.access_token not in repr(tokens)


async def test_a_logout_ends_the_callers_session(parts: Parts) -> None:
    mine, other = [await parts.sessions.login(EMAIL, PASSWORD) for _ in range(2)]
    claims = await parts.claims(mine)
    caller = Identity(subject=claims["sub"], session=claims["sid"])
    for _ in range(2):
        await parts.sessions.logout(caller)
    with pytest.raises(InvalidRefreshToken):
        await parts.refresh(mine)
    await parts.refresh(other)
    assert sorted(await parts.reasons(), key=str) == [None, "logged_out"]


async def test_nobody_logs_another_out(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    sid = (await parts.claims(tokens))["sid"]
    await parts.sessions.logout(Identity(subject="somebody-else", session=sid))
    await parts.refresh(tokens)


async def test_a_role_given_later_is_in_the_next_access_token(parts: Parts) -> None:
    tokens = await parts.sessions.login(EMAIL, PASSWORD)
    await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    assert (await parts.claims(await parts.refresh(tokens)))["roles"] == ["customer", "staff"]


async def test_instances_that_start_together_share_one_signing_key(fresh_database: FreshDatabase) -> None:
    settings = Settings(
        auth_database_url=SecretStr(await fresh_database("auth")), auth_key_secret=SecretStr("secret")
    )
    async with open_auth(settings) as one, open_auth(settings) as other:
        published = await asyncio.gather(
            *(auth.sessions.public_keys() for auth in (one, other) for _ in range(5))
        )
        assert len({key.kid for keys in published for key in keys}) == 1
        await one.accounts.register(EMAIL, PASSWORD)
        tokens = await one.sessions.login(EMAIL, PASSWORD)
        await other.sessions.refresh(SecretStr(tokens.refresh_token))


async def test_the_newest_key_signs_and_the_older_ones_still_verify(parts: Parts) -> None:
    before = await parts.sessions.login(EMAIL, PASSWORD)
    newest = KeySeal("secret").new_key()
    async with AuthStore(parts.database).begin() as tx:
        await tx.add_key(newest, START + timedelta(days=1))
    after = await parts.sessions.login(EMAIL, PASSWORD)
    assert jwt_header(after)["kid"] == newest.public.kid
    assert (await parts.claims(before))["sub"] == (await parts.claims(after))["sub"]


async def test_a_retired_key_is_not_published(parts: Parts) -> None:
    [first] = await parts.sessions.public_keys()
    async with parts.database.begin() as connection:
        await connection.execute(text("UPDATE signing_keys SET retired_at = created_at"))
    [second] = await parts.sessions.public_keys()
    assert second.kid != first.kid


async def test_with_another_secret_the_service_is_not_ready(parts: Parts) -> None:
    await parts.sessions.ready()
    with pytest.raises(SigningKeyUnreadable):
        await sessions_of(parts.accounts, parts.database, parts.clock, "another").ready()


async def test_without_its_secret_the_service_does_not_open() -> None:
    with pytest.raises(MissingSetting, match="MICROMART_AUTH_KEY_SECRET"):
        async with open_auth(Settings(auth_database_url=SecretStr("postgresql://nowhere"))):
            pass


def jwt_header(tokens: Tokens) -> dict[str, Any]:
    return jws.extract_compact(tokens.access_token.encode()).headers()
