"""What waits to be reacted to again, in the service's own PostgreSQL."""

from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import text

from runtime.database import Database
from runtime.parking import Parked, Place

_SUBJECTS = text("SELECT DISTINCT handler, subject FROM parked")
_AMONG = text(
    "SELECT DISTINCT handler, subject FROM parked"
    " JOIN unnest(CAST(:handlers AS text[]), CAST(:subjects AS text[])) AS asked (handler, subject)"
    " USING (handler, subject)"
)
_ADD = text(
    "INSERT INTO parked (handler, subject, event_id, event_type, body, reason, parked_at) VALUES"
    " (:handler, :subject, :event_id, :event_type, :body, :reason, :parked_at)"
    " ON CONFLICT (handler, event_id) DO NOTHING"
)
_FIRST = text(
    "SELECT handler, subject, event_id, event_type, body, reason, parked_at FROM parked"
    " WHERE handler = :handler AND subject = :subject ORDER BY position LIMIT 1"
)
_REMOVE = text("DELETE FROM parked WHERE handler = :handler AND event_id = :event_id")


class PostgresParking:
    """The `parked` table of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def subjects(self) -> Collection[Place]:
        async with self._database.begin() as connection:
            return {(row.handler, row.subject) for row in await connection.execute(_SUBJECTS)}

    async def among(self, places: Collection[Place]) -> Collection[Place]:
        handlers, subjects = [handler for handler, _ in places], [subject for _, subject in places]
        async with self._database.begin() as connection:
            found = await connection.execute(_AMONG, {"handlers": handlers, "subjects": subjects})
            return {(row.handler, row.subject) for row in found}

    async def add(self, parked: Parked) -> None:
        async with self._database.begin() as connection:
            await connection.execute(_ADD, asdict(parked))

    async def first(self, handler: str, subject: str) -> Parked | None:
        async with self._database.begin() as connection:
            found = await connection.execute(_FIRST, {"handler": handler, "subject": subject})
            row = found.mappings().one_or_none()
        return Parked(**row) if row is not None else None

    async def remove(self, parked: Parked) -> None:
        async with self._database.begin() as connection:
            await connection.execute(_REMOVE, {"handler": parked.handler, "event_id": parked.event_id})
