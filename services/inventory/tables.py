"""Inventory's tables."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, DateTime
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.outbox import OutboxColumns


class ReservationState(StrEnum):
    HELD = "held"
    RELEASED = "released"
    TAKEN = "taken"


class InventoryTable(SQLModel, registry=registry()):
    """The base that gives this service a metadata of its own."""


class StockRow(InventoryTable, table=True):
    """One sku's stock; the check is the last guard against overselling, the UPDATE's guard the first."""

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("reserved >= 0 AND on_hand >= reserved", name="stock_not_oversold"),)

    sku: str = Field(primary_key=True, max_length=64)
    on_hand: int
    reserved: int = 0
    sequence: int = Field(default=0, sa_type=BigInteger)


class ReservationRow(InventoryTable, table=True):
    """One order's hold; a released one is kept as the tombstone that refuses a late reserve."""

    __tablename__ = "reservations"

    order_id: str = Field(primary_key=True, max_length=64)
    state: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    released_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    taken_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class ReservationLineRow(InventoryTable, table=True):
    """What one order holds of one sku, or held."""

    __tablename__ = "reservation_lines"

    order_id: str = Field(primary_key=True, max_length=64, foreign_key="reservations.order_id")
    sku: str = Field(primary_key=True, max_length=64, index=True)
    quantity: int


class OutboxRow(OutboxColumns, InventoryTable, table=True):
    __tablename__ = "outbox"
