"""The queries about API keys, inside auth's unit of work."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.auth import API_KEY_PREFIX, Scope
from services.auth.tables import ApiKeyRow

_KEY = (
    col(ApiKeyRow.id),
    col(ApiKeyRow.name),
    col(ApiKeyRow.scopes),
    col(ApiKeyRow.created_by),
    col(ApiKeyRow.created_at),
    col(ApiKeyRow.expires_at),
    col(ApiKeyRow.revoked_at),
    col(ApiKeyRow.last_used_at),
    col(ApiKeyRow.hash),
)


@dataclass(frozen=True)
class ApiKey:
    """A machine's key, without what opens anything."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    hash: bytes = field(default=b"", repr=False)

    @property
    def prefix(self) -> str:
        """How a key begins: enough to recognise it, and worth nothing."""
        return f"{API_KEY_PREFIX}{self.id}"

    def holds(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ApiKeyQueries:
    """Everything that is read and written of API keys."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, key: ApiKey) -> None:
        await self._connection.execute(
            insert(ApiKeyRow).values(
                id=key.id,
                name=key.name,
                hash=key.hash,
                scopes=sorted(key.scopes),
                created_by=key.created_by,
                created_at=key.created_at,
                expires_at=key.expires_at,
            )
        )

    async def key(self, key_id: str) -> ApiKey | None:
        found = (await self._connection.execute(select(*_KEY).where(col(ApiKeyRow.id) == key_id))).first()
        return _key(found) if found is not None else None

    async def page(self, *, after: tuple[datetime, str] | None, limit: int) -> list[ApiKey]:
        """Keys, the newest first, from behind a position in that order."""
        position = (col(ApiKeyRow.created_at), col(ApiKeyRow.id))
        query = select(*_KEY).order_by(*(column.desc() for column in position)).limit(limit)
        if after is not None:
            query = query.where(tuple_(*position) < tuple_(*after))
        return [_key(row) for row in await self._connection.execute(query)]

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """End a key; one that has ended keeps its first moment. False when there is none."""
        ended = await self._connection.execute(
            update(ApiKeyRow)
            .where(col(ApiKeyRow.id) == key_id)
            .values(revoked_at=func.coalesce(col(ApiKeyRow.revoked_at), now))
        )
        return ended.rowcount == 1

    async def note_use(self, key_id: str, now: datetime) -> None:
        await self._connection.execute(
            update(ApiKeyRow).where(col(ApiKeyRow.id) == key_id).values(last_used_at=now)
        )


def _key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        # A scope that this version does not know opens nothing here.
        scopes=frozenset(scope for scope in Scope if scope in row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        hash=row.hash,
    )
