"""Sessions and signing keys on a real PostgreSQL, with a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr
from sqlalchemy import text

from contracts.identity import Identity
from runtime.database import Database
from services.auth.accounts import Accounts
from services.auth.device import Device
from services.auth.keys import SigningKeys
from services.auth.passwords import Passwords
from services.auth.pruning import SessionPruning
from services.auth.refresh_answers import AnswerSeal, Tokens
from services.auth.sessions import Lifetimes, Sessions
from services.auth.signing import KeySeal
from services.auth.store import AuthStore
from tests.conftest import FreshDatabase

EMAIL, PASSWORD = "ada@example.com", SecretStr("correct horse")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LIFETIMES = Lifetimes(
    access=timedelta(minutes=15),
    refresh=timedelta(days=30),
    session=timedelta(days=90),
    grace=timedelta(seconds=10),
)
NOWHERE, PHONE = Device(), Device("203.0.113.7", "Mozilla/5.0 (Phone)")
SECOND = timedelta(seconds=1)


class MovableClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class SessionsDesk:
    database: Database
    accounts: Accounts
    sessions: Sessions
    keys: SigningKeys
    clock: MovableClock

    async def sign_in(self, device: Device = NOWHERE) -> Tokens:
        """Open another session of the one account."""
        return await self.sessions.login(EMAIL, PASSWORD, device)

    async def refresh(self, tokens: Tokens) -> Tokens:
        return await self.sessions.refresh(SecretStr(tokens.refresh_token))

    async def claims(self, tokens: Tokens) -> dict[str, Any]:
        public = await self.keys.published()
        keys = KeySet.import_key_set({"keys": [key.model_dump() for key in public]})
        return jwt.decode(tokens.access_token, keys, algorithms=["ES256"]).claims

    async def caller(self, tokens: Tokens) -> Identity:
        claims = await self.claims(tokens)
        return Identity(subject=claims["sub"], session=claims["sid"])

    @property
    def pruning(self) -> SessionPruning:
        return SessionPruning(AuthStore(self.database), grace=LIFETIMES.grace, clock=self.clock)

    async def rows(self, query: str) -> list[Any]:
        async with self.database.begin() as connection:
            return [row[0] for row in await connection.execute(text(query))]

    async def reasons(self) -> list[Any]:
        return await self.rows("SELECT reason FROM refresh_families ORDER BY created_at")


@asynccontextmanager
async def open_sessions_desk(
    fresh_database: FreshDatabase, *, per_account: int = 100
) -> AsyncIterator[SessionsDesk]:
    """Auth's half on a database of its own, where one account is open."""
    database = Database(await fresh_database("auth"))
    clock = MovableClock()
    store = AuthStore(database)
    with Passwords(CHEAP) as passwords:
        accounts = Accounts(store, passwords, clock)
        await accounts.register(EMAIL, PASSWORD)
        keys = SigningKeys(store, KeySeal("secret"), access_lifetime=LIFETIMES.access, clock=clock)
        seal = AnswerSeal("secret")
        sessions = Sessions(store, accounts, keys, seal, LIFETIMES, clock, per_account=per_account)
        yield SessionsDesk(database, accounts, sessions, keys, clock)
    await database.dispose()
