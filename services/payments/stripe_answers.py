"""What Stripe's answers and messages mean here; only the fields that are used."""

import stripe
from pydantic import BaseModel, ConfigDict

from contracts.errors import Unavailable
from services.payments.messages import MessageId, is_order_id, read_message
from services.payments.provider import ActionRequired, Authorization, Declined, Held, Report
from services.payments.sandbox import UnexpectedAnswer

# Other codes are told as `declined`: who tries a card that was reported stolen is not told so.
_REASONS = {
    "insufficient_funds": "insufficient_funds",
    "authentication_required": "authentication_required",
    "payment_intent_authentication_failure": "authentication_failed",
    "expired_card": "expired_card",
    "incorrect_cvc": "incorrect_cvc",
}
_AMOUNT_CODES = frozenset({"amount_too_small", "amount_too_large"})
_EXPIRED_CODES = frozenset({"capture_charge_authorization_expired", "charge_expired_for_capture"})
_ABOUT_PAYMENTS = ("payment_intent.", "charge.")


class _Answer(BaseModel):
    # A validation error would quote the answer, and the client secret with it.
    model_config = ConfigDict(hide_input_in_errors=True)


class _Redirect(_Answer):
    url: str


class _NextAction(_Answer):
    redirect_to_url: _Redirect | None = None


class _PaymentError(_Answer):
    code: str | None = None
    decline_code: str | None = None


class Intent(_Answer):
    """A PaymentIntent."""

    id: str
    status: str
    next_action: _NextAction | None = None
    last_payment_error: _PaymentError | None = None


class Refund(_Answer):
    """A refund; `metadata` has the key that it was asked with."""

    id: str
    status: str
    metadata: dict[str, str] | None = None


class _Subject(_Answer):
    metadata: dict[str, str] | None = None


class _Data(_Answer):
    object: _Subject = _Subject()


class _Message(_Answer):
    id: MessageId
    type: str
    data: _Data = _Data()


class Refusal(UnexpectedAnswer):
    """Stripe said no. Where its caller does not know this no it is a bug, for a person to see.

    Stripe's own words are left out, since they quote tokens; the request's id finds them in its dashboard.
    """

    def __init__(self, error: stripe.StripeError) -> None:
        self.status = error.http_status or 0
        self.is_about_request = isinstance(error, stripe.InvalidRequestError)
        self.code = error.code
        self.param = error.error.param if error.error is not None else None
        self.decline_code = error.error.decline_code if error.error is not None else None
        super().__init__(f"Stripe answered {self.status}: {self.code or 'no code'} ({error.request_id})")

    def declines_authorization(self) -> Declined | None:
        """The final no to a buyer, where this is one and not a bug of ours."""
        if self.status == 402:
            return Declined(_reason(self.decline_code, self.code))
        if self.code in _AMOUNT_CODES:
            return Declined("invalid_request")
        # That a payment method was used before is said without a code and without naming the parameter.
        is_unnamed = self.status == 400 and self.is_about_request and self.code is None and self.param is None
        return Declined("unknown_token") if is_unnamed or self.param == "payment_method" else None

    def declines_capture(self) -> Declined | None:
        """The final no to taking what is held, where this is one."""
        if self.code in _EXPIRED_CODES:
            return Declined("authorization_expired")
        return Declined(_reason(self.decline_code, self.code)) if self.status == 402 else None


def is_passing(intent: Intent) -> bool:
    """Whether the answer may have been overtaken by what the buyer or the bank did since."""
    return intent.status in ("requires_action", "processing")


def is_undecided(intent: Intent) -> bool:
    """Whether the request that made the intent is still at work, or broke off before the bank was asked."""
    never_tried = intent.status == "requires_payment_method" and intent.last_payment_error is None
    return never_tried or intent.status == "requires_confirmation"


def authorization_of(intent: Intent) -> Authorization:
    """What an intent says of the amount that was asked for."""
    match intent.status:
        case "requires_capture" | "succeeded":
            return Held(intent.id)
        case "requires_action":
            if intent.next_action is None or intent.next_action.redirect_to_url is None:
                # No page to send the buyer to: nobody but us has the intent's secret, so it stays as it is.
                return Declined("authentication_required")
            return ActionRequired(intent.id, intent.next_action.redirect_to_url.url)
        case "requires_payment_method" | "canceled":
            error = intent.last_payment_error or _PaymentError()
            return Declined(_reason(error.decline_code, error.code))
        case "processing":
            raise Unavailable("Stripe is still working on this payment", retry_after=1)
        case other:
            raise UnexpectedAnswer(f"a payment at Stripe is {other}")


def report_of(provider: str, body: bytes, order_key: str) -> Report | None:
    """What a message, whose signature held, is about."""
    message = read_message(provider, _Message, body)
    if message is None or not message.type.startswith(_ABOUT_PAYMENTS):
        return None
    order_id = (message.data.object.metadata or {}).get(order_key, "")
    return Report(message.id, order_id) if is_order_id(order_id) else None


def _reason(*codes: str | None) -> str:
    """Our reason by the first of Stripe's codes that has one, the narrowest first."""
    return next((_REASONS[code] for code in codes if code in _REASONS), "declined")
