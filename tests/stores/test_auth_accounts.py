"""Accounts on a real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr
from sqlalchemy import text

from contracts.errors import Unauthenticated
from contracts.identity import Role
from runtime.database import Database
from services.auth.accounts import Accounts, Change
from services.auth.errors import BadCredentials, EmailTaken, InvalidPassword, UserUnknown
from services.auth.passwords import Passwords
from services.auth.store import AuthStore, User
from tests.conftest import FreshDatabase

EMAIL, PASSWORD = "ada@example.com", SecretStr("correct horse")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
DEARER = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)


@dataclass(frozen=True)
class Parts:
    database: Database
    accounts: Accounts

    async def one(self, column: str, table: str) -> object:
        async with self.database.begin() as connection:
            return (await connection.execute(text(f"SELECT {column} FROM {table}"))).scalar_one()

    async def execute(self, statement: str) -> None:
        async with self.database.begin() as connection:
            await connection.execute(text(statement))

    async def verify_by_link(self) -> None:
        await self.execute("UPDATE users SET email_verified_at = created_at + interval '1 day'")

    async def sign_in(self) -> None:
        """Open a session of the one account."""
        await self.execute(
            "INSERT INTO refresh_families (id, user_id, created_at, last_used_at, expires_at, ends_at)"
            " SELECT gen_random_uuid(), id, now(), now(), 'infinity', 'infinity' FROM users"
        )

    async def count(self, table: str) -> object:
        return await self.one("count(*)", table)


@pytest.fixture
async def parts(fresh_database: FreshDatabase) -> AsyncIterator[Parts]:
    database = Database(await fresh_database("auth"))
    with Passwords(CHEAP) as passwords:
        yield Parts(database, Accounts(AuthStore(database), passwords))
    await database.dispose()


async def test_whoever_registers_is_a_customer_and_can_sign_in(parts: Parts) -> None:
    user = await parts.accounts.register(" ADA@example.com", PASSWORD, "Ada")
    assert (user.email, user.name, user.roles) == (EMAIL, "Ada", frozenset({Role.CUSTOMER}))
    assert await parts.accounts.authenticate("Ada@Example.com", PASSWORD) == user
    assert await parts.accounts.user(user.id) == user


async def test_a_registration_is_told_in_the_same_transaction(parts: Parts) -> None:
    user = await parts.accounts.register(EMAIL, PASSWORD, "Ada")
    async with parts.database.begin() as connection:
        event = (await connection.execute(text("SELECT * FROM outbox ORDER BY position"))).first()
    assert event is not None
    assert (event.type, event.source, event.subject, event.sequence) == (
        "auth.user_registered",
        "/micromart/auth",
        user.id,
        1,
    )
    registered_at = user.created_at.isoformat().replace("+00:00", "Z")
    assert event.data == {
        "user_id": user.id,
        "email": EMAIL,
        "name": "Ada",
        "registered_at": registered_at,
    }


async def test_a_taken_email_is_refused_and_nothing_is_told(parts: Parts) -> None:
    await parts.accounts.register(EMAIL, PASSWORD)
    with pytest.raises(EmailTaken):
        await parts.accounts.register("ADA@EXAMPLE.COM", SecretStr("battery staple"))
    assert (await parts.count("users"), await parts.count("outbox")) == (1, 2)
    await parts.accounts.authenticate(EMAIL, PASSWORD)


async def test_of_registrations_that_race_for_an_email_one_wins(parts: Parts) -> None:
    answers = await asyncio.gather(
        *(parts.accounts.register(EMAIL, PASSWORD) for _ in range(10)), return_exceptions=True
    )
    assert Counter(type(answer) for answer in answers) == {User: 1, EmailTaken: 9}
    assert (await parts.count("users"), await parts.count("outbox")) == (1, 2)


async def test_a_refused_password_opens_no_account(parts: Parts) -> None:
    with pytest.raises(InvalidPassword):
        await parts.accounts.register(EMAIL, SecretStr("short"))
    assert await parts.count("users") == 0


async def test_a_wrong_password_and_an_unknown_email_are_refused_alike(parts: Parts) -> None:
    await parts.accounts.register(EMAIL, PASSWORD)
    refusals = []
    for email, password in [(EMAIL, "battery staple"), ("eve@example.com", "correct horse"), ("eve", "x")]:
        with pytest.raises(BadCredentials) as refused:
            await parts.accounts.authenticate(email, SecretStr(password))
        refusals.append(refused.value.refusal)
    assert len(set(refusals)) == 1


async def test_no_password_is_stored(parts: Parts) -> None:
    await parts.accounts.register(EMAIL, PASSWORD)
    stored = str(await parts.one("users::text", "users"))
    assert "$argon2id$" in stored
    assert PASSWORD.get_secret_value() not in stored


async def test_a_sign_in_renews_a_hash_of_other_parameters(parts: Parts) -> None:
    await parts.accounts.register(EMAIL, PASSWORD)
    with Passwords(DEARER) as passwords:
        accounts = Accounts(AuthStore(parts.database), passwords)
        await accounts.authenticate(EMAIL, PASSWORD)
        assert not DEARER.check_needs_rehash(str(await parts.one("password_hash", "users")))
        await accounts.authenticate(EMAIL, PASSWORD)


async def test_a_wrong_password_renews_nothing(parts: Parts) -> None:
    await parts.accounts.register(EMAIL, PASSWORD)
    before = await parts.one("password_hash", "users")
    with Passwords(DEARER) as passwords, pytest.raises(BadCredentials):
        await Accounts(AuthStore(parts.database), passwords).authenticate(EMAIL, SecretStr("battery staple"))
    assert await parts.one("password_hash", "users") == before


async def test_an_account_that_is_gone_is_nobodys(parts: Parts) -> None:
    with pytest.raises(Unauthenticated):
        await parts.accounts.user("no-such-user")


async def test_a_user_is_made_with_the_roles_asked_for(parts: Parts) -> None:
    user, change = await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    assert (user.roles, change) == (frozenset({Role.STAFF}), Change.CREATED)
    assert await parts.accounts.authenticate(EMAIL, PASSWORD) == user
    assert await parts.count("outbox") == 1


async def test_a_known_user_is_given_the_role_and_keeps_password_and_name(parts: Parts) -> None:
    known, _ = await parts.accounts.create_user(EMAIL, PASSWORD, "Ada", [Role.CUSTOMER])
    user, change = await parts.accounts.create_user(EMAIL, SecretStr("battery staple"), "Eve", [Role.ADMIN])
    assert change is Change.ROLES_ADDED
    assert (user.id, user.name, user.roles) == (known.id, "Ada", frozenset({Role.CUSTOMER, Role.ADMIN}))
    assert await parts.accounts.authenticate(EMAIL, PASSWORD) == user


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
@pytest.mark.parametrize("verified", [False, True])
async def test_whoever_registered_an_address_first_does_not_get_its_role(
    parts: Parts, role: Role, verified: bool
) -> None:
    """Somebody registers the address of a colleague, who may even open the link that they are mailed."""
    await parts.accounts.register(EMAIL, PASSWORD, "Mallory")
    if verified:
        await parts.verify_by_link()
    await parts.sign_in()
    user, change = await parts.accounts.create_user(EMAIL, SecretStr("battery staple"), "Ada", [role])
    assert (change, user.name) == (Change.HANDED_OVER, "Ada")
    with pytest.raises(BadCredentials):
        await parts.accounts.authenticate(EMAIL, PASSWORD)
    assert await parts.accounts.authenticate(EMAIL, SecretStr("battery staple")) == user
    assert user.email_verified_at is not None
    assert await parts.one("reason", "refresh_families") == "address_claimed"


async def test_a_customer_made_by_an_operator_takes_nothing_from_who_registered(parts: Parts) -> None:
    known = await parts.accounts.register(EMAIL, PASSWORD)
    user, change = await parts.accounts.create_user(EMAIL, SecretStr("battery staple"), None, [Role.CUSTOMER])
    assert (user, change) == (known, Change.NONE)
    await parts.accounts.authenticate(EMAIL, PASSWORD)


async def test_who_is_given_a_role_signs_in_again(parts: Parts) -> None:
    await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.CUSTOMER])
    await parts.sign_in()
    await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    assert await parts.one("reason", "refresh_families") == "roles_changed"


async def test_roles_are_taken_away_and_sessions_end_with_them(parts: Parts) -> None:
    await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.CUSTOMER, Role.ADMIN])
    await parts.sign_in()
    user, change = await parts.accounts.demote(" ADA@example.com", [Role.STAFF, Role.ADMIN])
    assert (user.roles, change) == (frozenset({Role.CUSTOMER}), Change.ROLES_TAKEN)
    assert await parts.accounts.authenticate(EMAIL, PASSWORD) == user
    assert await parts.one("reason", "refresh_families") == "roles_changed"


async def test_who_has_lost_every_role_is_a_customer(parts: Parts) -> None:
    await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    user, _ = await parts.accounts.demote(EMAIL, [Role.STAFF])
    assert user.roles == {Role.CUSTOMER}


async def test_taking_what_nobody_has_changes_nothing(parts: Parts) -> None:
    made, _ = await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    await parts.sign_in()
    assert await parts.accounts.demote(EMAIL, [Role.ADMIN]) == (made, Change.NONE)
    assert await parts.one("reason", "refresh_families") is None


async def test_somebody_is_signed_out_everywhere(parts: Parts) -> None:
    made, _ = await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    for _ in range(2):
        await parts.sign_in()
    assert await parts.accounts.sign_out(EMAIL) == (made, 2)
    assert await parts.one("DISTINCT reason", "refresh_families") == "signed_out"
    assert await parts.accounts.sign_out(EMAIL) == (made, 0)


@pytest.mark.parametrize("email", ["nobody@example.com", "nobody"])
async def test_nobody_is_demoted_or_signed_out_whom_there_is_not(parts: Parts, email: str) -> None:
    with pytest.raises(UserUnknown):
        await parts.accounts.demote(email, [Role.STAFF])
    with pytest.raises(UserUnknown):
        await parts.accounts.sign_out(email)


async def test_making_a_user_again_changes_nothing(parts: Parts) -> None:
    first, _ = await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    again = await parts.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    assert again == (first, Change.NONE)


async def test_roles_given_at_once_are_all_kept(parts: Parts) -> None:
    await asyncio.gather(
        *(parts.accounts.create_user(EMAIL, PASSWORD, None, [role]) for role in Role for _ in range(3))
    )
    [user] = await parts.accounts.users(10)
    assert user.roles == set(Role)


async def test_the_newest_accounts_come_first(parts: Parts) -> None:
    for number in range(3):
        await parts.accounts.register(f"user{number}@example.com", PASSWORD)
    assert [user.email for user in await parts.accounts.users(2)] == [
        "user2@example.com",
        "user1@example.com",
    ]
