"""Orders' decisions, pure."""

from collections.abc import Iterable, Sequence

from contracts.carts import CartSnapshot
from contracts.checkout import Step, StepState
from contracts.errors import FieldProblem
from contracts.fulfilment import ShipmentState
from contracts.money import Money, total
from contracts.orders import CancellationState, OrderState, PaymentState
from contracts.payments import (
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURE_FAILED,
    PAYMENT_CAPTURED,
    PAYMENT_REFUNDED,
    PAYMENT_VOIDED,
)
from contracts.products import Quote
from services.orders.errors import (
    AlreadyCompleted,
    AlreadyDelivered,
    AlreadyRejected,
    AlreadyShipped,
    CancellationRefused,
    CartChanged,
    EmptyCart,
    IdempotencyMismatch,
    MissingIdempotencyKey,
    RefundExceedsCapture,
    TooLateToCancel,
)
from services.orders.order import KeyRecord, Order, OrderLine
from services.orders.refund import Refund, RefundRequest

MAX_KEY_LENGTH = 255
_WAY = (OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.DELIVERED)
_ON_THE_WAY = {ShipmentState.SHIPPED: OrderState.SHIPPED, ShipmentState.DELIVERED: OrderState.DELIVERED}
_PAYMENT_AFTER = {
    PAYMENT_AUTHORIZED: PaymentState.AUTHORIZED,
    PAYMENT_VOIDED: PaymentState.VOIDED,
    PAYMENT_CAPTURED: PaymentState.PAID,
    PAYMENT_CAPTURE_FAILED: PaymentState.CAPTURE_FAILED,
}
_PAID = (PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED)
_TOO_LATE: dict[OrderState, type[TooLateToCancel]] = {
    OrderState.REJECTED: AlreadyRejected,
    OrderState.SHIPPED: AlreadyShipped,
    OrderState.DELIVERED: AlreadyDelivered,
    OrderState.COMPLETED: AlreadyCompleted,
}


def valid_key(key: str | None) -> str:
    """The idempotency key, or a refusal to work without one."""
    if not key or len(key) > MAX_KEY_LENGTH:
        raise MissingIdempotencyKey(f"send an Idempotency-Key of 1 to {MAX_KEY_LENGTH} characters")
    return key


def check_fingerprint(record: KeyRecord, fingerprint: str) -> None:
    """Refuse a key that was used for another request."""
    if record.fingerprint != fingerprint:
        raise IdempotencyMismatch("this Idempotency-Key was used for another request")


def lines_as_seen(cart: CartSnapshot) -> tuple[OrderLine, ...]:
    """The order's lines at the prices that the cart showed."""
    if not cart.lines:
        raise EmptyCart("there is nothing in this cart")
    return tuple(
        OrderLine(sku=line.sku, title=line.title, quantity=line.quantity, unit_price=line.unit_price)
        for line in cart.lines
    )


def lines_as_quoted(cart: CartSnapshot, quotes: Iterable[Quote]) -> tuple[OrderLine, ...]:
    """The order's lines at today's prices; refused when one is no longer sold."""
    by_sku = {quote.sku: quote for quote in quotes}
    gone = [line.sku for line in cart.lines if line.sku not in by_sku]
    if gone:
        raise CartChanged(
            "Something in this cart is no longer sold.",
            errors=[FieldProblem(at=sku, message="no longer sold") for sku in gone],
        )
    return tuple(
        line.model_copy(update={"unit_price": by_sku[line.sku].price}) for line in lines_as_seen(cart)
    )


def sum_of(lines: Sequence[OrderLine], currency: str) -> Money:
    return total((line.line_total for line in lines), currency)


def agreed_lines(
    seen: tuple[OrderLine, ...], quoted: tuple[OrderLine, ...], expected: Money | None, currency: str
) -> tuple[OrderLine, ...]:
    """Today's lines, if they cost what the buyer agreed to: the total expected, else the one shown.

    A buyer who names the new total has seen the new prices; nobody else is charged a price unseen.
    """
    to_pay = sum_of(quoted, currency)
    if expected is not None and expected == to_pay:
        return quoted
    changed = [
        FieldProblem(at=now.sku, message=f"was {before.unit_price}, is {now.unit_price}")
        for before, now in zip(seen, quoted, strict=True)
        if before.unit_price != now.unit_price
    ]
    if changed:
        raise CartChanged("Prices changed since this cart was looked at.", errors=changed)
    if expected is not None:
        raise CartChanged(f"This cart costs {to_pay}, not the {expected} that was expected.")
    return quoted


def merged_steps(stored: Iterable[Step], newer: Iterable[Step]) -> tuple[Step, ...]:
    """The steps of a checkout over all its runs: a later run tells more only of what it began."""
    steps = {step.name: step for step in stored}
    for step in newer:
        if step.state is not StepState.WAITING or step.name not in steps:
            steps[step.name] = step
    return tuple(steps.values())


def states_after_shipment(state: OrderState, shipment: ShipmentState) -> tuple[OrderState, ...]:
    """What the order becomes, one after another, now that its parcel stands like this; none is left out."""
    arrived = _ON_THE_WAY.get(shipment)
    if arrived is None or state not in _WAY:
        return ()
    return _WAY[_WAY.index(state) + 1 : _WAY.index(arrived) + 1]


def is_completed(state: OrderState, payment: str) -> bool:
    """Whether nothing is left to do: the parcel has arrived, and the money was taken."""
    return state is OrderState.DELIVERED and payment in _PAID


def payment_after(order: Order, fact: str, *, captured: int, refunded: int) -> str:
    """How the order's money stands after this fact.

    Until the order is confirmed that is its checkout's to say, so an undone one stays without a payment. A
    cancelled order's money is on its way back whatever is heard late.
    """
    if not order.was_confirmed:
        return order.payment_state
    if order.cancellation_state is CancellationState.DONE:
        return payment_after_cancellation(captured)
    if fact == PAYMENT_REFUNDED:
        return PaymentState.REFUNDED if refunded >= captured else PaymentState.PARTIALLY_REFUNDED
    return _PAYMENT_AFTER.get(fact, order.payment_state)


def payment_after_cancellation(captured: int) -> PaymentState:
    """What became of a cancelled order's money: let go of, or given back where it had been taken."""
    return PaymentState.REFUNDED if captured > 0 else PaymentState.VOIDED


def check_cancellable(order: Order) -> None:
    """Refuse to cancel what is not under way any more, or what was refused before.

    A parcel that was being shipped then and is held by now can be stopped after all.
    """
    if refusal := _TOO_LATE.get(order.state):
        raise refusal(f"this order is {order.state} and cannot be cancelled any more")
    is_held = order.fulfilment_state == ShipmentState.HELD
    if order.cancellation_state is CancellationState.REFUSED and not is_held:
        raise CancellationRefused("this order's parcel could not be stopped any more")


def refund_amount(order: Order, asked: Money | None, spoken_for: int) -> Money:
    """What is to be given back; refused beyond what was captured and not given back or promised already."""
    left = Money(amount=order.captured - max(spoken_for, order.refunded), currency=order.total.currency)
    if left.amount <= 0:
        raise RefundExceedsCapture("nothing was captured for this order that could still be refunded")
    amount = asked or left
    if amount.currency != left.currency or not 0 < amount.amount <= left.amount:
        raise RefundExceedsCapture(f"{amount} is not within the {left} that can still be refunded")
    return amount


def check_same_refund(refund: Refund, request: RefundRequest) -> None:
    """Refuse a key that was used for another refund."""
    if refund.reason != request.reason or request.amount not in (None, refund.amount):
        raise IdempotencyMismatch("this Idempotency-Key was used for another refund")
