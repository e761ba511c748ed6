"""Fulfilment's tables."""

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.inbox import InboxColumns, ParkedColumns
from runtime.outbox import OutboxColumns

# A shipment that a workflow has to attend to: not at its end, or the workflow does not know of the end yet.
UNFINISHED = "state NOT IN ('delivered', 'stopped') OR seen < sequence"


class FulfilmentTable(SQLModel, registry=registry()):
    """The base that gives this service a metadata of its own."""


class ShipmentRow(FulfilmentTable, table=True):
    """One order's parcel. `state` is the arbiter between a stop and a shipment.

    `seen` is the sequence that its workflow has looked at; `attended_at` is when it was last seen to that the
    workflow is there and knows.
    """

    __tablename__ = "shipments"
    __table_args__ = (
        Index("shipments_by_age", "created_at", "order_id"),
        Index("shipments_by_state", "state", "created_at", "order_id"),
        Index("shipments_unfinished", "attended_at", postgresql_where=text(UNFINISHED)),
    )

    order_id: str = Field(primary_key=True, max_length=64)
    state: str = Field(max_length=16)
    lines: list[JsonValue] = Field(sa_type=JSONB)
    carrier: str | None = None
    tracking: str | None = None
    reason: str | None = None
    reminders: int = 0
    sequence: int = Field(sa_type=BigInteger)
    seen: int = Field(default=0, sa_type=BigInteger)
    traceparent: str | None = None
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(sa_type=DateTime(timezone=True))
    attended_at: datetime = Field(sa_type=DateTime(timezone=True))


class InboxRow(InboxColumns, FulfilmentTable, table=True):
    __tablename__ = "inbox"


class ParkedRow(ParkedColumns, FulfilmentTable, table=True):
    __tablename__ = "parked"


class OutboxRow(OutboxColumns, FulfilmentTable, table=True):
    __tablename__ = "outbox"
