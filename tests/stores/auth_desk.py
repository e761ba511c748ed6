"""Auth's accounts and mailed links on a real PostgreSQL, with a clock to move and hashes that are counted."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from argon2 import PasswordHasher
from pydantic import SecretStr
from sqlalchemy import Engine, Row, event, text

from contracts.auth import EMAIL_VERIFICATION_REQUESTED, PASSWORD_RESET_REQUESTED
from contracts.identity import Identity
from runtime.database import Database
from services.auth.account_changes import AccountPolicy
from services.auth.accounts import Accounts
from services.auth.mailed_links import LinkTokens, MailedLinks
from services.auth.passwords import Passwords
from services.auth.reset_requests import ResetRequests
from services.auth.session_store import Session
from services.auth.store import AuthStore, User
from services.auth.throttle import Throttle
from tests.conftest import FreshDatabase

EMAIL, ADDRESS = "ada@example.com", "192.0.2.1"
PASSWORD, NEW_PASSWORD = SecretStr("correct horse"), SecretStr("battery staple")
WRONG = SecretStr("wrong")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class MovableClock:
    def __init__(self) -> None:
        self._now = START

    def __call__(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by


class CountingHasher(PasswordHasher):
    """Hashes cheaply, and counts."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.hashed = 0
        self.verified = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.hashed += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        self.verified += 1
        return super().verify(hash, password)


@dataclass(frozen=True)
class Desk:
    database: Database
    accounts: Accounts
    links: MailedLinks
    requests: ResetRequests
    clock: MovableClock
    hasher: CountingHasher

    async def rows(self, query: str) -> Sequence[Row[Any]]:
        async with self.database.begin() as connection:
            return (await connection.execute(text(query))).all()

    async def told(self) -> list[tuple[str, int]]:
        """The events so far, each with its place among those of its account."""
        rows = await self.rows("SELECT type, sequence FROM outbox ORDER BY position")
        return [(row.type, row.sequence) for row in rows]

    async def mailed(self, event_type: str) -> list[str]:
        """The ids of the links of a kind that were asked to be mailed, the oldest first."""
        rows = await self.rows("SELECT type, data FROM outbox ORDER BY position")
        return [row.data["mail_id"] for row in rows if row.type == event_type]

    async def verification_token(self) -> SecretStr:
        """What the newest mail that asks the address links to."""
        return (await self.links.token_of((await self.mailed(EMAIL_VERIFICATION_REQUESTED))[-1])).token

    async def reset_token(self) -> SecretStr:
        """What is mailed to the account's owner, who forgot the password."""
        await self.requests.note(EMAIL)
        await self.requests.answer()
        return (await self.links.token_of((await self.mailed(PASSWORD_RESET_REQUESTED))[-1])).token

    async def session_of(self, user: User, session_id: str) -> Identity:
        """The user, signed in with a new session of that name."""
        now = self.clock()
        ends_at = now + timedelta(days=30)
        async with AuthStore(self.database).begin() as tx:
            await tx.sessions.open(Session(session_id, user.id, now, now, ends_at, ends_at, None, None))
        return Identity(subject=user.id, roles=user.roles, session=session_id)

    async def ended(self) -> dict[str, str | None]:
        """Every session, with why it ended if it has."""
        return {row.id: row.reason for row in await self.rows("SELECT id, reason FROM refresh_families")}


@asynccontextmanager
async def open_desk(
    fresh_database: FreshDatabase,
    throttle: Throttle = Throttle(),  # noqa: B008 - it is frozen
) -> AsyncIterator[Desk]:
    database = Database(await fresh_database("auth"))
    store, clock, hasher = AuthStore(database), MovableClock(), CountingHasher()
    policy = AccountPolicy(throttle)
    with Passwords(hasher) as passwords:
        yield Desk(
            database,
            Accounts(store, passwords, clock, policy),
            MailedLinks(store, passwords, LinkTokens("secret"), clock, policy),
            ResetRequests(store, clock),
            clock,
            hasher,
        )
    await database.dispose()


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to the database inside the block."""
    sent: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)
