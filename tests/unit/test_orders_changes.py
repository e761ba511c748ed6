"""What becomes of an order after its checkout, decided without a database."""

import pytest

from contracts.checkout import CANCELLED, EXPIRED, CheckoutState
from contracts.errors import DomainError, Refusal
from contracts.fulfilment import ShipmentState
from contracts.money import Money
from contracts.orders import CancellationState, OrderState, PaymentState, RefundState
from contracts.payments import (
    PAYMENT_ACTION_REQUIRED,
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURE_FAILED,
    PAYMENT_CAPTURED,
    PAYMENT_REFUNDED,
    PAYMENT_VOIDED,
)
from services.orders import rules
from services.orders.errors import IdempotencyMismatch, RefundExceedsCapture
from services.orders.order import Order
from services.orders.refund import Refund, RefundRequest
from tests.orders_samples import NOON, euros, new_order

CONFIRMED, SHIPPED, DELIVERED = OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.DELIVERED
BEFORE_CONFIRM = [OrderState.PENDING, OrderState.CANCELLING, OrderState.REJECTED, OrderState.CANCELLED]


@pytest.mark.parametrize(
    ("state", "shipment", "expected"),
    [
        (CONFIRMED, ShipmentState.OPEN, ()),
        (CONFIRMED, ShipmentState.SHIPPING, ()),
        (CONFIRMED, ShipmentState.HELD, ()),
        (CONFIRMED, ShipmentState.STOPPED, ()),
        (CONFIRMED, ShipmentState.SHIPPED, (SHIPPED,)),
        (CONFIRMED, ShipmentState.DELIVERED, (SHIPPED, DELIVERED)),
        (SHIPPED, ShipmentState.SHIPPED, ()),
        (SHIPPED, ShipmentState.DELIVERED, (DELIVERED,)),
        (DELIVERED, ShipmentState.SHIPPED, ()),
        (OrderState.COMPLETED, ShipmentState.DELIVERED, ()),
        (OrderState.CANCELLED, ShipmentState.SHIPPED, ()),
        (OrderState.PENDING, ShipmentState.SHIPPED, ()),
    ],
)
def test_an_order_follows_its_parcel_and_never_goes_back(
    state: OrderState, shipment: ShipmentState, expected: tuple[OrderState, ...]
) -> None:
    assert rules.states_after_shipment(state, shipment) == expected


@pytest.mark.parametrize("payment", PaymentState)
@pytest.mark.parametrize("state", OrderState)
def test_an_order_is_completed_once_it_is_delivered_and_its_money_was_taken(
    state: OrderState, payment: PaymentState
) -> None:
    taken = payment in {PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED}
    assert rules.is_completed(state, payment) is (state is DELIVERED and taken)


@pytest.mark.parametrize(
    ("fact", "captured", "refunded", "expected"),
    [
        (PAYMENT_AUTHORIZED, 0, 0, PaymentState.AUTHORIZED),
        (PAYMENT_VOIDED, 0, 0, PaymentState.VOIDED),
        (PAYMENT_CAPTURED, 1000, 0, PaymentState.PAID),
        (PAYMENT_CAPTURE_FAILED, 0, 0, PaymentState.CAPTURE_FAILED),
        (PAYMENT_REFUNDED, 1000, 1, PaymentState.PARTIALLY_REFUNDED),
        (PAYMENT_REFUNDED, 1000, 1000, PaymentState.REFUNDED),
        (PAYMENT_ACTION_REQUIRED, 0, 0, "as it was"),
    ],
)
def test_a_confirmed_orders_money_stands_as_payments_says(
    fact: str, captured: int, refunded: int, expected: str
) -> None:
    order = new_order(state=CONFIRMED, payment_state="as it was")
    assert rules.payment_after(order, fact, captured=captured, refunded=refunded) == expected


@pytest.mark.parametrize("state", BEFORE_CONFIRM)
@pytest.mark.parametrize("fact", [PAYMENT_AUTHORIZED, PAYMENT_VOIDED, PAYMENT_ACTION_REQUIRED])
def test_until_it_is_confirmed_an_orders_money_is_its_checkouts_to_tell(state: OrderState, fact: str) -> None:
    order = new_order(state=state, payment_state="as it was")
    assert rules.payment_after(order, fact, captured=0, refunded=0) == "as it was"


@pytest.mark.parametrize(
    ("fact", "captured", "refunded", "expected"),
    [
        (PAYMENT_AUTHORIZED, 0, 0, PaymentState.VOIDED),
        (PAYMENT_VOIDED, 0, 0, PaymentState.VOIDED),
        (PAYMENT_CAPTURED, 1000, 0, PaymentState.REFUNDED),
        (PAYMENT_REFUNDED, 1000, 1000, PaymentState.REFUNDED),
    ],
)
def test_a_cancelled_orders_money_has_gone_back_whatever_is_heard_late(
    fact: str, captured: int, refunded: int, expected: PaymentState
) -> None:
    order = new_order(state=OrderState.CANCELLED, cancellation_state=CancellationState.DONE)
    assert rules.payment_after(order, fact, captured=captured, refunded=refunded) is expected


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (OrderState.PENDING, None),
        (OrderState.CANCELLING, None),
        (CONFIRMED, None),
        (OrderState.CANCELLED, None),
        (OrderState.REJECTED, "orders.already_rejected"),
        (SHIPPED, "orders.already_shipped"),
        (DELIVERED, "orders.already_delivered"),
        (OrderState.COMPLETED, "orders.already_completed"),
    ],
)
def test_an_order_can_be_cancelled_until_it_is_shipped(state: OrderState, code: str | None) -> None:
    assert refused_for(new_order(state=state)) == code


@pytest.mark.parametrize("shipment", ShipmentState)
def test_what_was_refused_once_is_asked_again_only_while_its_parcel_is_held(shipment: ShipmentState) -> None:
    refused = CancellationState.REFUSED
    order = new_order(state=CONFIRMED, cancellation_state=refused, fulfilment_state=shipment)
    is_held = shipment is ShipmentState.HELD
    assert refused_for(order) == (None if is_held else "orders.cancellation_refused")


def refused_for(order: Order) -> str | None:
    try:
        rules.check_cancellable(order)
    except DomainError as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("asked", "spoken_for", "refunded", "expected"),
    [
        (None, 0, 0, 1000),
        (None, 300, 300, 700),
        (None, 0, 400, 600),
        (1000, 0, 0, 1000),
        (700, 300, 0, 700),
        (1, 999, 0, 1),
    ],
)
def test_a_refund_is_of_what_was_asked_else_of_all_that_is_left(
    asked: int | None, spoken_for: int, refunded: int, expected: int
) -> None:
    order = new_order(captured=1000, refunded=refunded)
    amount = rules.refund_amount(order, euros(asked) if asked is not None else None, spoken_for)
    assert amount == euros(expected)


@pytest.mark.parametrize(
    ("captured", "asked", "spoken_for", "refunded"),
    [
        (0, None, 0, 0),
        (0, euros(1), 0, 0),
        (1000, euros(1001), 0, 0),
        (1000, euros(701), 300, 0),
        (1000, euros(601), 0, 400),
        (1000, None, 1000, 0),
        (1000, euros(0), 0, 0),
        (1000, euros(-1), 0, 0),
        (1000, Money(amount=1, currency="USD"), 0, 0),
    ],
)
def test_more_than_was_captured_and_not_promised_is_refused(
    captured: int, asked: Money | None, spoken_for: int, refunded: int
) -> None:
    with pytest.raises(RefundExceedsCapture) as refused:
        rules.refund_amount(new_order(captured=captured, refunded=refunded), asked, spoken_for)
    assert refused.value.code == "payments.refund_exceeds_capture"


def test_a_refunds_key_names_it_for_one_person_and_one_order() -> None:
    def named(order_id: str = "o", by: str = "ada", key: str | None = "k") -> str:
        return RefundRequest(order_id, "broken", by, key=key).refund_id

    assert named() == named()
    assert len({named(), named(order_id="p"), named(by="bob"), named(key="l")}) == 4
    assert named(key=None) != named(key=None)


@pytest.mark.parametrize("state", OrderState)
def test_a_checkout_that_went_well_stays_so_when_its_order_is_cancelled(state: OrderState) -> None:
    order = new_order(state=state, cancellation_state=CancellationState.DONE)
    assert order.checkout_state is CheckoutState.CONFIRMED


@pytest.mark.parametrize(
    ("state", "cancellation", "expected"),
    [
        (OrderState.PENDING, None, True),
        (OrderState.CANCELLING, None, True),
        (CONFIRMED, None, False),
        (CONFIRMED, CancellationState.REQUESTED, True),
        (CONFIRMED, CancellationState.REFUSED, False),
        (OrderState.CANCELLED, CancellationState.DONE, False),
    ],
)
def test_an_operator_is_needed_while_something_under_way_has_called_one(
    state: OrderState, cancellation: CancellationState | None, expected: bool
) -> None:
    order = new_order(state=state, cancellation_state=cancellation, operator_note="it keeps failing")
    assert order.needs_operator is expected
    assert not new_order(state=state, cancellation_state=cancellation).needs_operator


@pytest.mark.parametrize(
    ("state", "refusal", "cancellation", "expected"),
    [
        (OrderState.PENDING, None, None, None),
        (OrderState.CANCELLING, CANCELLED, None, CancellationState.REQUESTED),
        (OrderState.CANCELLED, CANCELLED, None, CancellationState.DONE),
        (OrderState.CANCELLING, EXPIRED, None, None),
        (OrderState.CANCELLED, EXPIRED, None, None),
        (CONFIRMED, None, CancellationState.REFUSED, CancellationState.REFUSED),
        (OrderState.CANCELLED, None, CancellationState.DONE, CancellationState.DONE),
    ],
)
def test_a_wish_to_cancel_shows_whenever_it_came(
    state: OrderState,
    refusal: Refusal | None,
    cancellation: CancellationState | None,
    expected: CancellationState | None,
) -> None:
    order = new_order(state=state, refusal=refusal, cancellation_state=cancellation)
    assert order.wish_to_cancel is expected


REFUND = Refund(
    id="r",
    order_id="o",
    amount=euros(500),
    reason="broken",
    requested_by="ada",
    state=RefundState.DONE,
    created_at=NOON,
)


@pytest.mark.parametrize("amount", [None, euros(500)])
def test_a_key_stands_for_its_refund(amount: Money | None) -> None:
    rules.check_same_refund(REFUND, RefundRequest("o", "broken", "ada", amount, "key"))


@pytest.mark.parametrize(("reason", "amount"), [("late", euros(500)), ("broken", euros(501)), ("late", None)])
def test_a_key_is_refused_for_another_refund(reason: str, amount: Money | None) -> None:
    with pytest.raises(IdempotencyMismatch):
        rules.check_same_refund(REFUND, RefundRequest("o", reason, "ada", amount, "key"))
