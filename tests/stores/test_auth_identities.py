"""Whose account a provider's word opens, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from contracts.auth import EMAIL_VERIFICATION_REQUESTED, PASSWORD_RESET_REQUESTED
from contracts.identity import Identity, Role
from runtime.database import Database
from runtime.settings import Settings
from services.auth.device import Device
from services.auth.errors import (
    BadCredentials,
    InvalidRefreshToken,
    OidcAccountProtected,
    OidcEmailUnverified,
)
from services.auth.factory import Auth, open_auth
from services.auth.identities import Identities, Vouched
from services.auth.passwords import Passwords
from services.auth.store import AuthStore, User
from tests.conftest import FreshDatabase

EMAIL, PASSWORD = "ada@example.com", SecretStr("a horse that is correct")
HOME = Device()
ADA = Vouched(issuer="https://id.example", subject="ada", email=EMAIL, email_verified=True, name="Ada")


@dataclass(frozen=True)
class Parts:
    auth: Auth
    identities: Identities
    database: Database

    async def rows(self, query: str) -> list[Any]:
        async with self.database.begin() as connection:
            return [tuple(row) for row in await connection.execute(text(query))]

    async def registered(self, *, verified: bool = False) -> User:
        user = await self.auth.accounts.register(EMAIL, PASSWORD, "Mallory")
        if verified:
            await self.auth.links.verify(await self.token(EMAIL_VERIFICATION_REQUESTED))
        return user

    async def token(self, event_type: str) -> SecretStr:
        """What the newest mail of a kind links to."""
        mails = await self.rows(
            f"SELECT data->>'mail_id' FROM outbox WHERE type = '{event_type}' ORDER BY position"
        )
        return (await self.auth.links.token_of(mails[-1][0])).token

    async def reset(self, password: SecretStr) -> None:
        """Forget the password, and set another one by the mailed link."""
        await self.auth.reset_requests.note(EMAIL)
        await self.auth.reset_requests.answer()
        await self.auth.links.reset(await self.token(PASSWORD_RESET_REQUESTED), password)

    async def events(self) -> list[Any]:
        return await self.rows("SELECT type, sequence FROM outbox ORDER BY position")


@pytest.fixture
async def parts(fresh_database: FreshDatabase) -> AsyncIterator[Parts]:
    url = await fresh_database("auth")
    settings = Settings(
        auth_database_url=SecretStr(url),
        auth_key_secret=SecretStr("key-secret"),
        service_secret=SecretStr("service-secret"),
    )
    database = Database(url)
    with Passwords() as passwords:
        async with open_auth(settings) as auth:
            yield Parts(auth, Identities(AuthStore(database), passwords), database)
    await database.dispose()


async def test_a_first_sign_in_opens_a_customers_account(parts: Parts) -> None:
    user = await parts.identities.account_of(ADA)
    assert (user.email, user.name, user.roles) == (EMAIL, "Ada", frozenset({Role.CUSTOMER}))
    assert user.email_verified_at is not None
    assert await parts.auth.accounts.user(user.id) == user
    assert ("auth.user_registered", 1) in await parts.events()


async def test_an_account_without_a_password_refuses_every_password(parts: Parts) -> None:
    await parts.identities.account_of(ADA)
    for password in (PASSWORD, SecretStr(""), SecretStr("nobody's password")):
        with pytest.raises(BadCredentials):
            await parts.auth.sessions.login(EMAIL, password)


async def test_who_was_linked_is_known_whatever_their_address_has_become(parts: Parts) -> None:
    first = await parts.identities.account_of(ADA)
    moved = replace(ADA, email="else@example.com", email_verified=False)
    assert await parts.identities.account_of(moved) == first


async def test_an_account_whose_password_is_its_owners_is_linked_and_keeps_it(parts: Parts) -> None:
    known = await parts.registered()
    await parts.reset(PASSWORD)
    tokens = await parts.auth.sessions.login(EMAIL, PASSWORD)
    assert (await parts.identities.account_of(ADA)).id == known.id
    await parts.auth.sessions.login(EMAIL, PASSWORD)
    await parts.auth.sessions.refresh(SecretStr(tokens.refresh_token))


async def test_a_link_that_is_opened_while_signed_in_shows_whose_the_password_is(parts: Parts) -> None:
    known = await parts.registered()
    token = await parts.token(EMAIL_VERIFICATION_REQUESTED)
    await parts.auth.links.verify(token, Identity(subject=known.id, session="s-1"))
    await parts.identities.account_of(ADA)
    await parts.auth.sessions.login(EMAIL, PASSWORD)


async def test_a_link_that_is_opened_by_another_account_shows_nothing_of_the_password(parts: Parts) -> None:
    await parts.registered()
    token = await parts.token(EMAIL_VERIFICATION_REQUESTED)
    await parts.auth.links.verify(token, Identity(subject="somebody-else", session="s-1"))
    await parts.identities.account_of(ADA)
    with pytest.raises(BadCredentials):
        await parts.auth.sessions.login(EMAIL, PASSWORD)


async def test_changing_a_password_does_not_make_it_its_owners(parts: Parts) -> None:
    """Who waits in an account that its address has been verified for may do that as well."""
    user = await parts.registered(verified=True)
    await parts.auth.sessions.login(EMAIL, PASSWORD)
    [(session,)] = await parts.rows("SELECT id FROM refresh_families")
    other = SecretStr("a horse that waits")
    await parts.auth.accounts.change_password(Identity(subject=user.id, session=session), PASSWORD, other)
    await parts.identities.account_of(ADA)
    with pytest.raises(BadCredentials):
        await parts.auth.sessions.login(EMAIL, other)


@pytest.mark.parametrize("verified", [False, True])
async def test_an_account_that_awaits_its_owner_keeps_neither_password_nor_session(
    parts: Parts, verified: bool
) -> None:
    """Somebody registers with another's address, and waits for them to come by way of a provider.

    They may have been trusted on the way: the link that was mailed verifies the address, not the password.
    """
    known = await parts.registered(verified=verified)
    tokens = await parts.auth.sessions.login(EMAIL, PASSWORD)
    linked = await parts.identities.account_of(ADA)
    assert (linked.id, linked.name) == (known.id, "Ada")
    assert linked.email_verified_at is not None
    assert await parts.auth.accounts.user(known.id) == linked
    with pytest.raises(BadCredentials):
        await parts.auth.sessions.login(EMAIL, PASSWORD)
    with pytest.raises(InvalidRefreshToken):
        await parts.auth.sessions.refresh(SecretStr(tokens.refresh_token))
    assert await parts.rows("SELECT reason FROM refresh_families") == [("address_claimed",)]


async def test_it_is_told_that_the_password_is_gone_and_the_address_verified(parts: Parts) -> None:
    await parts.registered()
    await parts.identities.account_of(ADA)
    told = await parts.events()
    assert told[2:] == [("auth.password_changed", 3), ("auth.email_verified", 4)]
    assert await parts.rows("SELECT events FROM users") == [(4,)]


async def test_who_becomes_staff_while_a_provider_vouches_gets_no_session(parts: Parts) -> None:
    vouched = await parts.identities.account_of(ADA)
    await parts.auth.accounts.create_user(EMAIL, PASSWORD, "Ada", [Role.ADMIN])
    with pytest.raises(BadCredentials):
        await parts.auth.sessions.open(vouched)


async def test_the_second_provider_of_a_person_opens_the_same_account_and_ends_no_session(
    parts: Parts,
) -> None:
    await parts.registered()
    first = await parts.identities.account_of(ADA)
    tokens = await parts.auth.sessions.open(first)
    elsewhere = replace(ADA, issuer="https://other.example", subject="7", email=EMAIL.upper())
    second = await parts.identities.account_of(elsewhere)
    assert second.id == first.id
    await parts.auth.sessions.refresh(SecretStr(tokens.refresh_token))
    assert await parts.rows("SELECT count(*) FROM linked_identities") == [(2,)]


async def test_one_subject_at_two_providers_is_two_people(parts: Parts) -> None:
    first = await parts.identities.account_of(ADA)
    other = replace(ADA, issuer="https://other.example", email="other@example.com")
    assert (await parts.identities.account_of(other)).id != first.id


@pytest.mark.parametrize(
    "change", [{"email_verified": False}, {"email": None}, {"email": "nobody"}, {"email": "a\0@example.com"}]
)
async def test_without_a_verified_address_nothing_is_linked(parts: Parts, change: dict[str, Any]) -> None:
    await parts.registered(verified=True)
    with pytest.raises(OidcEmailUnverified):
        await parts.identities.account_of(replace(ADA, **change))
    assert await parts.rows("SELECT count(*) FROM linked_identities") == [(0,)]


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
async def test_an_address_alone_opens_no_account_of_the_staff(parts: Parts, role: Role) -> None:
    await parts.auth.accounts.create_user(EMAIL, PASSWORD, None, [role])
    with pytest.raises(OidcAccountProtected):
        await parts.identities.account_of(ADA)
    await parts.auth.sessions.login(EMAIL, PASSWORD)


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
async def test_an_account_that_was_linked_before_it_became_the_staffs_is_opened_no_more(
    parts: Parts, role: Role
) -> None:
    tokens = await parts.auth.sessions.open(await parts.identities.account_of(ADA))
    await parts.auth.accounts.create_user(EMAIL, PASSWORD, None, [role])
    with pytest.raises(OidcAccountProtected):
        await parts.identities.account_of(ADA)
    with pytest.raises(InvalidRefreshToken):
        await parts.auth.sessions.refresh(SecretStr(tokens.refresh_token))
    await parts.auth.accounts.demote(EMAIL, [role])
    await parts.identities.account_of(ADA)


@pytest.mark.parametrize("name", ["x" * 201, "A\0", "A\ud800", "  "])
async def test_a_name_that_is_none_is_left_out(parts: Parts, name: str) -> None:
    assert (await parts.identities.account_of(replace(ADA, name=name))).name is None


async def test_first_sign_ins_at_once_open_one_account(parts: Parts) -> None:
    users = await asyncio.gather(*(parts.identities.account_of(ADA) for _ in range(8)))
    assert len({user.id for user in users}) == 1
    assert await parts.rows("SELECT count(*) FROM users") == [(1,)]


async def test_first_sign_ins_at_two_providers_at_once_open_one_account(parts: Parts) -> None:
    people = [replace(ADA, issuer=f"https://id-{number}.example") for number in range(6)]
    users = await asyncio.gather(*(parts.identities.account_of(person) for person in people))
    assert len({user.id for user in users}) == 1
    assert await parts.rows("SELECT count(*) FROM linked_identities") == [(6,)]


async def test_a_session_that_is_opened_for_a_linked_user_can_be_refreshed(parts: Parts) -> None:
    tokens = await parts.auth.sessions.open(await parts.identities.account_of(ADA), HOME)
    await parts.auth.sessions.refresh(SecretStr(tokens.refresh_token))
