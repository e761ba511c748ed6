"""What orders is told once a checkout is over, and what it says."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.commands import Command
from contracts.errors import Refusal
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


class PaymentState(StrEnum):
    """How an order's money stands, as its buyer sees it."""

    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    AUTHORIZED = "authorized"
    PAID = "paid"
    CAPTURE_FAILED = "capture_failed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    NONE = "none"


class CancellationState(StrEnum):
    """How a buyer's wish to cancel a confirmed order stands."""

    REQUESTED = "requested"
    REFUSED = "refused"
    DONE = "done"


class RefundState(StrEnum):
    REQUESTED = "requested"
    REFUSED = "refused"
    DONE = "done"


CANCEL_WORKFLOW = "CancelOrder"
REFUND_WORKFLOW = "RefundOrder"


class CancelOrder(BaseModel):
    """What the workflow is given that cancels a confirmed order; what was refused may be attempted again."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    total: Money
    attempt: int = 1
    traceparent: str | None = None

    @property
    def workflow_id(self) -> str:
        return cancellation_id_of(self.order_id, self.attempt)


def cancellation_id_of(order_id: str, attempt: int = 1) -> str:
    return f"cancel-{order_id}" if attempt == 1 else f"cancel-{order_id}-{attempt}"


class RefundOrder(BaseModel):
    """What the workflow is given that carries one refund out; why it is made stays in its row."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    order_id: str
    amount: Money
    traceparent: str | None = None

    @property
    def workflow_id(self) -> str:
        return refund_workflow_id_of(self.refund_id)


def refund_workflow_id_of(refund_id: str) -> str:
    return f"refund-{refund_id}"


class RefuseCancellation(Command):
    """The order's parcel cannot be stopped any more: the order goes on."""

    refusal: Refusal
    attempt: int = 1


class FinishCancellation(Command):
    """Parcel, money and stock are settled: the order is cancelled."""


class CallOperatorForRefund(Command):
    """Mark a refund that keeps failing, so that a person finds it."""

    refund_id: str
    detail: str


class SettleRefund(Command):
    """A refund was made, or refused for this reason."""

    refund_id: str
    refusal: Refusal | None = None


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


class BoughtLine(BaseModel):
    """One line of an order, as a letter about it lists it."""

    model_config = ConfigDict(frozen=True)

    title: str
    quantity: int
    line_total: Money


class OrderContact(BaseModel):
    """Whom to write to about an order, and what it holds; asked for where it is needed, kept nowhere else."""

    model_config = ConfigDict(frozen=True)

    email: str
    name: str
    lines: tuple[BoughtLine, ...]
    total: Money


ORDER_PLACED = "order.placed"
ORDER_CONFIRMED = "order.confirmed"
ORDER_REJECTED = "order.rejected"
ORDER_CANCELLED = "order.cancelled"
ORDER_SHIPPED = "order.shipped"
ORDER_DELIVERED = "order.delivered"
ORDER_COMPLETED = "order.completed"
