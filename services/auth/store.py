"""Auth's queries, inside one unit of work."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.auth import PublicKey
from contracts.events import Event
from contracts.identity import Role
from runtime import outbox
from runtime.database import Database
from services.auth.signing import SealedKey
from services.auth.tables import (
    OutboxRow,
    RefreshFamilyRow,
    RefreshTokenRow,
    Revocation,
    SigningKeyRow,
    UserRow,
)

# Two processes that both find no signing key wait for each other here, and the second finds the first's.
_KEY_LOCK = 2_718_281_828
_USER = (
    col(UserRow.id),
    col(UserRow.email),
    col(UserRow.name),
    col(UserRow.roles),
    col(UserRow.created_at),
)


@dataclass(frozen=True)
class User:
    """An account, without what proves it."""

    id: str
    email: str
    name: str | None
    roles: frozenset[Role]
    created_at: datetime


@dataclass(frozen=True)
class Credentials:
    """An account with its password's hash."""

    user: User
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class Session:
    """A session that was found open, and whose it is."""

    id: str
    user: User


@dataclass(frozen=True)
class KnownToken:
    """A refresh token that we issued once, whatever became of it."""

    session_id: str
    user_id: str
    used: bool


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
        query = select(*_USER, col(UserRow.password_hash)).where(col(UserRow.email) == email)
        found = (await self._connection.execute(query)).first()
        return Credentials(_user(found), found.password_hash) if found is not None else None

    async def set_roles(self, user_id: str, roles: frozenset[Role]) -> None:
        await self._connection.execute(
            update(UserRow).where(col(UserRow.id) == user_id).values(roles=sorted(roles))
        )

    async def renew_hash(self, known: Credentials, password_hash: str) -> None:
        """Replace the hash that was verified, unless the password has changed since."""
        await self._connection.execute(
            update(UserRow)
            .where(col(UserRow.id) == known.user.id, col(UserRow.password_hash) == known.password_hash)
            .values(password_hash=password_hash)
        )

    async def open_session(self, session: Session, now: datetime, expires_at: datetime) -> None:
        await self._connection.execute(
            insert(RefreshFamilyRow).values(
                id=session.id, user_id=session.user.id, created_at=now, expires_at=expires_at
            )
        )

    async def add_token(self, token_hash: bytes, session: Session, now: datetime) -> None:
        await self._connection.execute(
            insert(RefreshTokenRow).values(hash=token_hash, family_id=session.id, created_at=now)
        )

    async def use_token(self, token_hash: bytes, now: datetime) -> Session | None:
        """Spend a token of an open session; of any number that try at once, one gets the session."""
        used = await self._connection.execute(
            update(RefreshTokenRow)
            .where(
                col(RefreshTokenRow.hash) == token_hash,
                col(RefreshTokenRow.used_at).is_(None),
                col(RefreshFamilyRow.id) == col(RefreshTokenRow.family_id),
                col(RefreshFamilyRow.revoked_at).is_(None),
                col(RefreshFamilyRow.expires_at) > now,
                col(UserRow.id) == col(RefreshFamilyRow.user_id),
            )
            .values(used_at=now)
            .returning(col(RefreshTokenRow.family_id), *_USER)
        )
        row = used.first()
        return Session(row.family_id, _user(row)) if row is not None else None

    async def known_token(self, token_hash: bytes) -> KnownToken | None:
        query = (
            select(col(RefreshFamilyRow.id), col(RefreshFamilyRow.user_id), col(RefreshTokenRow.used_at))
            .join(RefreshFamilyRow, col(RefreshFamilyRow.id) == col(RefreshTokenRow.family_id))
            .where(col(RefreshTokenRow.hash) == token_hash)
        )
        row = (await self._connection.execute(query)).first()
        return KnownToken(row.id, row.user_id, row.used_at is not None) if row is not None else None

    async def revoke(self, session_id: str, user_id: str, reason: Revocation, now: datetime) -> None:
        """End a user's session; one that was ended before keeps its first reason."""
        await self._connection.execute(
            update(RefreshFamilyRow)
            .where(
                col(RefreshFamilyRow.id) == session_id,
                col(RefreshFamilyRow.user_id) == user_id,
                col(RefreshFamilyRow.revoked_at).is_(None),
            )
            .values(revoked_at=now, reason=reason)
        )

    async def lock_keys(self) -> None:
        """Let nobody else add a signing key before this block ends."""
        await self._connection.execute(select(func.pg_advisory_xact_lock(_KEY_LOCK)))

    async def keys(self) -> list[SealedKey]:
        """The signing keys that are not retired, the newest first."""
        rows = await self._connection.execute(
            select(col(SigningKeyRow.public_key), col(SigningKeyRow.sealed_private_key))
            .where(col(SigningKeyRow.retired_at).is_(None))
            .order_by(col(SigningKeyRow.created_at).desc(), col(SigningKeyRow.kid))
        )
        return [SealedKey(PublicKey.model_validate(row.public_key), row.sealed_private_key) for row in rows]

    async def add_key(self, key: SealedKey, now: datetime) -> None:
        await self._connection.execute(
            insert(SigningKeyRow).values(
                kid=key.public.kid,
                public_key=key.public.model_dump(),
                sealed_private_key=key.private,
                created_at=now,
            )
        )

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(row.id, row.email, row.name, frozenset(map(Role, row.roles)), row.created_at)
