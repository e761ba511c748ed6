"""What a service's outbox says."""

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB

from contracts.events import Event
from runtime.database import Database

_ABOUT = text(
    "SELECT id, type, source, subject, sequence, time, data, traceparent"
    " FROM outbox WHERE subject = :subject ORDER BY position"
).columns(data=JSONB)


async def events_about(database: Database, subject: str) -> list[Event]:
    """The events about one subject, in the order in which they were written."""
    async with database.begin() as connection:
        rows = await connection.execute(_ABOUT, {"subject": subject})
    return [Event.model_validate(dict(row)) for row in rows.mappings()]
