"""Orders' tables."""

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.inbox import InboxColumns, ParkedColumns
from runtime.outbox import OutboxColumns

# One cart makes one order; a refused or cancelled one does not count, so that its buyer may try again.
COUNTS_FOR_CART = "state NOT IN ('rejected', 'cancelled')"
UNFINISHED = "ended_at IS NULL"
TO_CANCEL = "cancellation_state = 'requested'"
TO_REFUND = "state = 'requested'"


class OrdersTable(SQLModel, registry=registry()):
    """The base that gives this service a metadata of its own."""


class OrderRow(OrdersTable, table=True):
    """One order. `state` is the arbiter of its checkout; `ended_at` is when the checkout was over.

    The sequences of payment and fulfilment are those of the newest facts that the row has taken in.
    """

    __tablename__ = "orders"
    __table_args__ = (
        Index(
            "one_order_per_cart_generation",
            "cart_ref",
            "generation",
            unique=True,
            postgresql_where=text(COUNTS_FOR_CART),
        ),
        Index("orders_unfinished", "created_at", postgresql_where=text(UNFINISHED)),
        Index("orders_to_cancel", "created_at", "id", postgresql_where=text(TO_CANCEL)),
        Index("orders_by_customer", "customer_id", "created_at", "id"),
        Index("orders_by_state", "state", "created_at", "id"),
    )

    id: str = Field(primary_key=True, max_length=64)
    customer_id: str | None = None
    cart_ref: str
    generation: int
    email: str
    shipping_address: dict[str, JsonValue] = Field(sa_type=JSONB)
    total: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    payment_token: str
    state: str = Field(max_length=16)
    refusal: dict[str, JsonValue] | None = Field(default=None, sa_type=JSONB)
    steps: list[JsonValue] = Field(sa_type=JSONB)
    operator_note: str | None = None
    payment_state: str = Field(max_length=32)
    payment_sequence: int = Field(default=0, sa_type=BigInteger)
    captured: int = Field(default=0, sa_type=BigInteger)
    refunded: int = Field(default=0, sa_type=BigInteger)
    action_url: str | None = None
    fulfilment_state: str = Field(max_length=16)
    fulfilment_sequence: int = Field(default=0, sa_type=BigInteger)
    cancellation_state: str | None = Field(default=None, max_length=16)
    cancellation_reason: str | None = None
    cancellation_attempt: int = 1
    sequence: int = Field(default=0, sa_type=BigInteger)
    traceparent: str | None = None
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(sa_type=DateTime(timezone=True))
    ended_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class OrderLineRow(OrdersTable, table=True):
    """One line of an order, at the price that the buyer agreed to."""

    __tablename__ = "order_lines"

    order_id: str = Field(primary_key=True, max_length=64, foreign_key="orders.id")
    position: int = Field(primary_key=True)
    sku: str = Field(max_length=64)
    title: str
    quantity: int
    unit_price: int = Field(sa_type=BigInteger)


class IdempotencyRow(OrdersTable, table=True):
    """One key of one principal on one route: which order it made, and the first final answer, as sent."""

    __tablename__ = "idempotency_keys"

    principal: str = Field(primary_key=True)
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(max_length=64)
    order_id: str = Field(max_length=64, foreign_key="orders.id")
    status: int | None = None
    body: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))


class RefundRow(OrdersTable, table=True):
    """One refund that the staff asked for: written before its workflow starts, settled by it."""

    __tablename__ = "refunds"
    __table_args__ = (Index("refunds_to_make", "created_at", "id", postgresql_where=text(TO_REFUND)),)

    id: str = Field(primary_key=True, max_length=64)
    order_id: str = Field(max_length=64, foreign_key="orders.id", index=True)
    amount: int = Field(sa_type=BigInteger)
    reason: str
    requested_by: str
    state: str = Field(max_length=16)
    refusal: dict[str, JsonValue] | None = Field(default=None, sa_type=JSONB)
    operator_note: str | None = None
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    settled_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class InboxRow(InboxColumns, OrdersTable, table=True):
    __tablename__ = "inbox"


class ParkedRow(ParkedColumns, OrdersTable, table=True):
    __tablename__ = "parked"


class OutboxRow(OutboxColumns, OrdersTable, table=True):
    __tablename__ = "outbox"
