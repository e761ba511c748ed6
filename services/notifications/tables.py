"""Notifications' tables."""

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.inbox import InboxColumns, ParkedColumns
from runtime.outbox import OutboxColumns

PENDING = "state = 'pending'"


class NotificationsTable(SQLModel, registry=registry()):
    """The base that gives this service a metadata of its own."""


class NotificationRow(NotificationsTable, table=True):
    """One intent to write to somebody. It holds no address: that is looked up when it is sent.

    Until `claimed_until` it is somebody's; `handed_over_at` is when a workflow took it on.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index("notifications_pending", "created_at", postgresql_where=text(PENDING)),
        Index("notifications_by_time", "created_at", "id"),
        Index("notifications_by_state", "state", "created_at", "id"),
        Index("notifications_by_order", "order_id", "created_at", "id"),
    )

    id: str = Field(primary_key=True, max_length=64)
    template: str = Field(max_length=32)
    order_id: str | None = Field(default=None, max_length=64)
    user_id: str | None = Field(default=None, max_length=64)
    facts: dict[str, JsonValue] = Field(sa_type=JSONB)
    state: str = Field(max_length=16)
    message_id: str
    attempts: int = 0
    last_error: str | None = None
    traceparent: str | None = None
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    claimed_until: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    handed_over_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    sent_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class ContactRow(NotificationsTable, table=True):
    """How to reach somebody who has an account."""

    __tablename__ = "contacts"

    user_id: str = Field(primary_key=True, max_length=64)
    email: str


class OutboxRow(OutboxColumns, NotificationsTable, table=True):
    __tablename__ = "outbox"


class InboxRow(InboxColumns, NotificationsTable, table=True):
    __tablename__ = "inbox"


class ParkedRow(ParkedColumns, NotificationsTable, table=True):
    __tablename__ = "parked"
