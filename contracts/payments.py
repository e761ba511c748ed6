"""What payments is told, and what it says."""

from enum import StrEnum

from pydantic import Field

from contracts.checkout import StepDone
from contracts.commands import Command
from contracts.events import EventData
from contracts.money import Money


class AuthorizePayment(Command):
    """Hold the amount on the buyer's card, once however often it is sent."""

    amount: Money
    token: str = Field(description="the provider's own token; card data never reaches us")


class AuthorizationState(StrEnum):
    """How an authorisation stands that was not refused."""

    HELD = "held"
    ACTION_REQUIRED = "action_required"


class AuthorizationDone(StepDone):
    """The provider's answer so far: the amount is held, or the buyer has to act at `action_url` first."""

    state: AuthorizationState = AuthorizationState.HELD
    action_url: str | None = None


class VoidPayment(Command):
    """Let go of what is held for an order, and refuse an authorisation of it that comes late."""


class CapturePayment(Command):
    """Take the amount that is held."""


class RefundPayment(Command):
    """Give back a part or all of what was captured; `key` names this one refund."""

    amount: Money
    key: str


class GiveBackPayment(Command):
    """Let go of what is held for an order, or refund what was captured: afterwards the buyer paid nothing."""


class PaymentChanged(EventData):
    """All of a payment after a change."""

    order_id: str
    state: str
    amount: Money
    captured: int
    refunded: int
    reason: str | None = None


class ProviderReported(EventData):
    """The provider told us something of an order's payment; what is true is asked, not taken from here."""

    order_id: str
    provider: str
    report_id: str


PAYMENT_ACTION_REQUIRED = "payments.action_required"
PAYMENT_AUTHORIZED = "payments.authorized"
PAYMENT_DECLINED = "payments.declined"
PAYMENT_VOIDED = "payments.voided"
PAYMENT_CAPTURED = "payments.captured"
PAYMENT_CAPTURE_FAILED = "payments.capture_failed"
PAYMENT_REFUNDED = "payments.refunded"
PROVIDER_REPORTED = "payments.provider_reported"
