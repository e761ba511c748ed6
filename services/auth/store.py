"""Auth's queries, inside one unit of work."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.events import Event
from contracts.identity import STAFF_ROLES, Role
from runtime import outbox
from runtime.database import Database
from services.auth.api_key_store import ApiKeyQueries
from services.auth.attempt_store import AttemptQueries
from services.auth.identity_store import IdentityQueries
from services.auth.key_store import KeyQueries
from services.auth.mail_store import MailQueries
from services.auth.refresh_token_store import RefreshTokenQueries
from services.auth.session_store import SessionQueries
from services.auth.staff_action_store import StaffActionQueries
from services.auth.tables import OutboxRow, UserRow

_USER = (
    col(UserRow.id),
    col(UserRow.email),
    col(UserRow.name),
    col(UserRow.roles),
    col(UserRow.created_at),
    col(UserRow.email_verified_at),
    col(UserRow.password_proved),
)
_CREDENTIALS = select(*_USER, col(UserRow.password_hash))


@dataclass(frozen=True)
class User:
    """An account, without what proves it.

    `password_proved` says that who chose the password has shown that the address is theirs.
    """

    id: str
    email: str
    name: str | None
    roles: frozenset[Role]
    created_at: datetime
    email_verified_at: datetime | None = None
    password_proved: bool = False

    @property
    def is_staff(self) -> bool:
        return bool(self.roles & STAFF_ROLES)


@dataclass(frozen=True)
class Credentials:
    """An account with its password's hash."""

    user: User
    password_hash: str = field(repr=False)


class AuthStore:
    """Opens units of work on auth's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["AuthTransaction"]:
        async with self._database.begin() as connection:
            yield AuthTransaction(connection)


class AuthTransaction:
    """Everything that auth reads and writes; commits when its block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.sessions = SessionQueries(connection)
        self.refresh_tokens = RefreshTokenQueries(connection)
        self.signing_keys = KeyQueries(connection)
        self.mail = MailQueries(connection)
        self.attempts = AttemptQueries(connection)
        self.api_keys = ApiKeyQueries(connection)
        self.staff_actions = StaffActionQueries(connection)
        self.identities = IdentityQueries(connection)

    async def add_user(self, user: User, password_hash: str) -> bool:
        """Add an account; False when its email has one already."""
        added = await self._connection.execute(
            upsert(UserRow)
            .values(
                id=user.id,
                email=user.email,
                name=user.name,
                password_hash=password_hash,
                roles=sorted(user.roles),
                created_at=user.created_at,
                email_verified_at=user.email_verified_at,
                password_proved=user.password_proved,
            )
            .on_conflict_do_nothing(index_elements=[col(UserRow.email)])
        )
        return added.rowcount == 1

    async def user(self, user_id: str) -> User | None:
        found = (await self._connection.execute(select(*_USER).where(col(UserRow.id) == user_id))).first()
        return _user(found) if found is not None else None

    async def locked_user(self, email: str) -> User:
        """The account of an email that has one; nobody else changes it before this block ends."""
        query = select(*_USER).where(col(UserRow.email) == email).with_for_update()
        return _user((await self._connection.execute(query)).one())

    async def users(self, limit: int) -> list[User]:
        """The newest accounts first."""
        query = select(*_USER).order_by(col(UserRow.created_at).desc(), col(UserRow.id)).limit(limit)
        return [_user(row) for row in await self._connection.execute(query)]

    async def credentials(self, email: str) -> Credentials | None:
        found = (await self._connection.execute(_CREDENTIALS.where(col(UserRow.email) == email))).first()
        return Credentials(_user(found), found.password_hash) if found is not None else None

    async def locked_credentials(self, user_id: str) -> Credentials | None:
        """An account of an id, as it is now; nobody else changes it before this block ends."""
        query = _CREDENTIALS.where(col(UserRow.id) == user_id).with_for_update()
        found = (await self._connection.execute(query)).first()
        return Credentials(_user(found), found.password_hash) if found is not None else None

    async def set_roles(self, user_id: str, roles: frozenset[Role]) -> None:
        await self._connection.execute(
            update(UserRow).where(col(UserRow.id) == user_id).values(roles=sorted(roles))
        )

    async def set_password(self, user_id: str, password_hash: str, *, proved: bool) -> None:
        await self._connection.execute(
            update(UserRow)
            .where(col(UserRow.id) == user_id)
            .values(password_hash=password_hash, password_proved=proved)
        )

    async def prove_password(self, user_id: str) -> None:
        await self._connection.execute(
            update(UserRow).where(col(UserRow.id) == user_id).values(password_proved=True)
        )

    async def set_name(self, user_id: str, name: str | None) -> None:
        await self._connection.execute(update(UserRow).where(col(UserRow.id) == user_id).values(name=name))

    async def verify_email(self, user_id: str, now: datetime) -> None:
        await self._connection.execute(
            update(UserRow).where(col(UserRow.id) == user_id).values(email_verified_at=now)
        )

    async def next_event(self, user_id: str) -> int:
        """The sequence of the next event that tells of an account."""
        counted = await self._connection.execute(
            update(UserRow)
            .where(col(UserRow.id) == user_id)
            .values(events=col(UserRow.events) + 1)
            .returning(col(UserRow.events))
        )
        return int(counted.scalar_one())

    async def renew_hash(self, known: Credentials, password_hash: str) -> bool:
        """Replace the hash that was verified; False where the password has changed since."""
        renewed = await self._connection.execute(
            update(UserRow)
            .where(col(UserRow.id) == known.user.id, col(UserRow.password_hash) == known.password_hash)
            .values(password_hash=password_hash)
        )
        return renewed.rowcount == 1

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        row.id,
        row.email,
        row.name,
        frozenset(map(Role, row.roles)),
        row.created_at,
        row.email_verified_at,
        row.password_proved,
    )
