"""Payments' tables."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, DateTime
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.inbox import InboxColumns, ParkedColumns
from runtime.outbox import OutboxColumns


class PaymentState(StrEnum):
    AUTHORIZING = "authorizing"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    VOIDING = "voiding"
    VOIDED = "voided"
    CAPTURING = "capturing"
    CAPTURED = "captured"


class MovementKind(StrEnum):
    AUTHORIZATION = "authorization"
    VOID = "void"
    CAPTURE = "capture"
    REFUND = "refund"


class MovementState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"


class PaymentsTable(SQLModel, registry=registry()):
    """The base that gives this service a metadata of its own."""


class PaymentRow(PaymentsTable, table=True):
    """One order's payment; a voided one without a provider id is the tombstone of a stopped order."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("refunded <= captured AND captured <= amount", name="payments_in_balance"),
    )

    order_id: str = Field(primary_key=True, max_length=64)
    state: str = Field(max_length=16)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    token: str
    provider: str
    provider_id: str | None = None
    decline_reason: str | None = None
    action_url: str | None = None
    capture_failure: str | None = None
    captured: int = Field(default=0, sa_type=BigInteger)
    refunded: int = Field(default=0, sa_type=BigInteger)
    sequence: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(sa_type=DateTime(timezone=True))


class LedgerRow(PaymentsTable, table=True):
    """One movement of money, by its key at the provider: written before the call, settled after it."""

    __tablename__ = "ledger"

    key: str = Field(primary_key=True, max_length=255)
    order_id: str = Field(index=True, max_length=64)
    kind: str = Field(max_length=16)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    state: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    settled_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class WebhookRow(PaymentsTable, table=True):
    """What a provider has told us of once, by the id that it gave its message: who it was about, no more."""

    __tablename__ = "webhooks"

    provider: str = Field(primary_key=True, max_length=32)
    report_id: str = Field(primary_key=True, max_length=255)
    order_id: str = Field(index=True, max_length=64)
    received_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class OutboxRow(OutboxColumns, PaymentsTable, table=True):
    __tablename__ = "outbox"


class InboxRow(InboxColumns, PaymentsTable, table=True):
    __tablename__ = "inbox"


class ParkedRow(ParkedColumns, PaymentsTable, table=True):
    __tablename__ = "parked"
