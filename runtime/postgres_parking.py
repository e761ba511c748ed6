"""What waits to be reacted to again, in the service's own PostgreSQL."""

from collections.abc import Collection

from sqlalchemy import text

from runtime.database import Database
from runtime.parking import Parked

_SUBJECTS = text("SELECT DISTINCT handler, subject FROM parked")
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

    async def subjects(self) -> Collection[tuple[str, str]]:
        async with self._database.begin() as connection:
            return {(row.handler, row.subject) for row in await connection.execute(_SUBJECTS)}

    async def add(self, parked: Parked) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                _ADD,
                {
                    "handler": parked.handler,
                    "subject": parked.subject,
                    "event_id": parked.event_id,
                    "event_type": parked.event_type,
                    "body": parked.body,
                    "reason": parked.reason,
                    "parked_at": parked.parked_at,
                },
            )

    async def first(self, handler: str, subject: str) -> Parked | None:
        async with self._database.begin() as connection:
            found = await connection.execute(_FIRST, {"handler": handler, "subject": subject})
            row = found.mappings().one_or_none()
        return Parked(**row) if row is not None else None

    async def remove(self, parked: Parked) -> None:
        async with self._database.begin() as connection:
            await connection.execute(_REMOVE, {"handler": parked.handler, "event_id": parked.event_id})
