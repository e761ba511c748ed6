"""What orders says."""

from datetime import datetime
from enum import StrEnum

from contracts.events import EventData
from contracts.inventory import StockLine
from contracts.money import Money


class OrderState(StrEnum):
    """An order's life; `cancelling` is inside `pending` for everybody but the saga."""

    PENDING = "pending"
    CANCELLING = "cancelling"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"

    @property
    def public(self) -> "OrderState":
        return OrderState.PENDING if self is OrderState.CANCELLING else self


class OrderChanged(EventData):
    """An order at a change of its state. Address and mail stay in the order: ask for them where needed."""

    order_id: str
    customer_id: str | None
    cart_ref: str
    generation: int
    lines: tuple[StockLine, ...]
    total: Money
    state: OrderState
    placed_at: datetime
    reason: str | None = None


ORDER_PLACED = "order.placed"
ORDER_CONFIRMED = "order.confirmed"
ORDER_REJECTED = "order.rejected"
ORDER_CANCELLED = "order.cancelled"
