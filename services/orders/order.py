"""An order as the service and its callers see it."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from contracts.checkout import CANCELLED, Checkout, CheckoutState, Step
from contracts.errors import Refusal
from contracts.events import Event
from contracts.identity import Identity
from contracts.inventory import StockLine
from contracts.money import Money
from contracts.orders import CancellationState, CancelOrder, OrderChanged, OrderState, PaymentState

# Why an order was cancelled whose checkout had gone well.
CANCELLED_ON_REQUEST = "orders.cancelled_on_request"
_CONFIRMED = (OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED)


class ShippingAddress(BaseModel):
    """Where the parcel goes; `country` is ISO 3166-1 alpha-2."""

    model_config = ConfigDict(frozen=True)

    name: str
    line1: str
    line2: str | None = None
    city: str
    postal_code: str
    country: str


class OrderLine(BaseModel):
    """One line at the price that the buyer agreed to."""

    model_config = ConfigDict(frozen=True)

    sku: str
    title: str
    quantity: int
    unit_price: Money

    @property
    def line_total(self) -> Money:
        return self.unit_price.times(self.quantity)


@dataclass(frozen=True)
class Order:
    """One order, whole."""

    id: str
    customer_id: str | None
    cart_ref: str
    generation: int
    email: str
    shipping_address: ShippingAddress
    lines: tuple[OrderLine, ...]
    total: Money
    payment_token: str
    state: OrderState
    refusal: Refusal | None
    steps: tuple[Step, ...]
    operator_note: str | None
    payment_state: str
    fulfilment_state: str
    sequence: int
    traceparent: str | None
    created_at: datetime
    ended_at: datetime | None
    payment_sequence: int = 0
    captured: int = 0
    refunded: int = 0
    action_url: str | None = None
    fulfilment_sequence: int = 0
    cancellation_state: CancellationState | None = None
    cancellation_reason: str | None = None
    cancellation_attempt: int = 1

    @property
    def was_confirmed(self) -> bool:
        """Whether its checkout went well, whatever became of the order afterwards."""
        return self.cancellation_state is not None or self.state in _CONFIRMED

    @property
    def wish_to_cancel(self) -> CancellationState | None:
        """How a wish to cancel stands, whether it came before or after the order was confirmed."""
        if self.cancellation_state is not None or self.refusal is None or self.refusal.code != CANCELLED.code:
            return self.cancellation_state
        return CancellationState.DONE if self.state is OrderState.CANCELLED else CancellationState.REQUESTED

    @property
    def needs_operator(self) -> bool:
        """Whether its checkout, or its cancellation, cannot end without a person."""
        is_under_way = not self.was_confirmed or self.cancellation_state is CancellationState.REQUESTED
        return self.operator_note is not None and is_under_way

    @property
    def checkout_state(self) -> CheckoutState:
        """How the order's checkout stands."""
        if self.was_confirmed:
            return CheckoutState.CONFIRMED
        if self.state in (OrderState.REJECTED, OrderState.CANCELLED):
            return CheckoutState(self.state.value)
        return CheckoutState.NEEDS_OPERATOR if self.operator_note else CheckoutState.RUNNING

    @property
    def stock_lines(self) -> tuple[StockLine, ...]:
        return tuple(StockLine(sku=line.sku, quantity=line.quantity) for line in self.lines)

    def checkout(self, time_limit: timedelta) -> Checkout:
        """What the order's workflow is given."""
        return Checkout(
            order_id=self.id,
            cart_ref=self.cart_ref,
            generation=self.generation,
            lines=self.stock_lines,
            total=self.total,
            payment_token=self.payment_token,
            time_limit=time_limit,
            traceparent=self.traceparent,
        )

    def called_off(self, reason: Refusal) -> "Order":
        """The order while its checkout is undone: there is nothing that its buyer could still act on."""
        return replace(
            self,
            state=OrderState.CANCELLING,
            refusal=reason,
            payment_state=PaymentState.PENDING,
            action_url=None,
        )

    def to_be_cancelled(self) -> "Order":
        """The order while its parcel is to be stopped: after a refusal, by an attempt of its own."""
        was_refused = self.cancellation_state is CancellationState.REFUSED
        return replace(
            self,
            cancellation_state=CancellationState.REQUESTED,
            cancellation_reason=None,
            cancellation_attempt=self.cancellation_attempt + was_refused,
        )

    def cancellation(self) -> CancelOrder:
        """What the workflow is given that cancels the order."""
        return CancelOrder(
            order_id=self.id,
            total=self.total,
            attempt=self.cancellation_attempt,
            traceparent=self.traceparent,
        )

    def event(self, event_type: str, now: datetime) -> Event:
        """The fact that the order became what it is now."""
        return Event.of(event_type, subject=self.id, sequence=self.sequence, time=now, data=self._changed())

    def _changed(self) -> OrderChanged:
        return OrderChanged(
            order_id=self.id,
            customer_id=self.customer_id,
            cart_ref=self.cart_ref,
            generation=self.generation,
            lines=self.stock_lines,
            total=self.total,
            state=self.state,
            placed_at=self.created_at,
            reason=self._reason,
        )

    @property
    def _reason(self) -> str | None:
        if self.cancellation_state is CancellationState.DONE:
            return CANCELLED_ON_REQUEST
        return self.refusal.code if self.refusal else None


@dataclass(frozen=True)
class Buyer:
    """Who buys: a signed-in customer, or a guest who holds the cart's id."""

    identity: Identity | None
    cart_ref: str

    @property
    def principal(self) -> str:
        """Whose idempotency keys these are."""
        return f"customer:{self.identity.subject}" if self.identity else f"cart:{self.cart_ref}"


class PlaceOrder(BaseModel):
    """A buyer's request, as validated; the fingerprint covers all of it."""

    model_config = ConfigDict(frozen=True)

    cart_id: str
    email: str
    shipping_address: ShippingAddress
    payment_token: str
    expected_total: Money | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the request in canonical JSON."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class KeyRecord:
    """What an idempotency key stands for: its order, and its answer once there is a final one."""

    principal: str
    key: str
    fingerprint: str
    order_id: str
    status: int | None = None
    body: bytes | None = None

    @property
    def answer(self) -> tuple[int, bytes] | None:
        """The first final answer, as it was sent."""
        return (self.status, self.body) if self.status is not None and self.body is not None else None
