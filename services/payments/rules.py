"""Payments' decisions, pure."""

from contracts.money import Money
from services.payments.errors import (
    PaymentCaptured,
    PaymentDeclined,
    PaymentNotAuthorized,
    PaymentVoided,
    RefundExceedsCapture,
    RefundKeyReused,
)
from services.payments.tables import PaymentState

_DECLINES = {
    "declined": "The card was declined.",
    "insufficient_funds": "The card has insufficient funds.",
    "authentication_required": "The card asks for an authentication that this checkout cannot do.",
    "authentication_failed": "The payment was not approved at the buyer's bank.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is not right.",
    "unknown_token": "The payment provider does not know this payment method.",
    "invalid_request": "The payment provider does not take this amount.",
}


def declined(reason: str) -> PaymentDeclined:
    """The refusal that tells the buyer why, under the one stable code."""
    return PaymentDeclined(_DECLINES.get(reason, _DECLINES["declined"]))


def must_ask_provider(state: PaymentState, decline_reason: str | None) -> bool:
    """Whether an authorisation has still to be sent; refuses where it ended in a no or was stopped."""
    if state is PaymentState.DECLINED:
        raise declined(decline_reason or "declined")
    if state in (PaymentState.VOIDING, PaymentState.VOIDED):
        raise PaymentVoided("this order's payment was let go before this step arrived")
    return state is PaymentState.AUTHORIZING


def waits_for_news(state: PaymentState) -> bool:
    """Whether a provider's word may change something: an amount not held yet, or one let go of too early."""
    return state not in (PaymentState.AUTHORIZED, PaymentState.CAPTURING, PaymentState.CAPTURED)


def must_void(state: PaymentState) -> bool:
    """Whether there may be something to let go of; refuses once the money was taken."""
    if state in (PaymentState.CAPTURING, PaymentState.CAPTURED):
        raise PaymentCaptured("the amount was taken already: refund it instead")
    return state in (PaymentState.AUTHORIZING, PaymentState.AUTHORIZED, PaymentState.VOIDING)


def must_capture(state: PaymentState) -> bool:
    """Whether the amount has still to be taken; refuses where nothing is held."""
    if state not in (PaymentState.AUTHORIZED, PaymentState.CAPTURING, PaymentState.CAPTURED):
        raise PaymentNotAuthorized(f"a payment that is {state} cannot be captured")
    return state is not PaymentState.CAPTURED


def must_settle_capture(state: PaymentState) -> bool:
    """Whether a capture is under way whose answer nobody has."""
    return state is PaymentState.CAPTURING


def nothing_may_be_held(state: PaymentState) -> bool:
    """Whether the payment is over without money: what a provider holds for it all the same is let go."""
    return state in (PaymentState.VOIDED, PaymentState.DECLINED)


def check_refund(
    state: PaymentState, amount: Money, *, currency: str, captured: int, spoken_for: int
) -> None:
    """Refuse a refund beyond what was captured, counting refunds still under way."""
    if state is not PaymentState.CAPTURED or amount.currency != currency:
        raise RefundExceedsCapture(f"nothing was captured in {amount.currency} that could be refunded")
    if amount.amount <= 0 or spoken_for + amount.amount > captured:
        left = Money(amount=captured - spoken_for, currency=currency)
        raise RefundExceedsCapture(f"{amount} is not within the {left} that can still be refunded")


def check_refund_key(named: Money | None, amount: Money) -> None:
    """Refuse a refund's key that names another amount already."""
    if named is not None and named != amount:
        raise RefundKeyReused(f"this key names a refund of {named}, not of {amount}")
