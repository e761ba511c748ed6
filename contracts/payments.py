"""What payments is told, and what it says."""

from pydantic import Field

from contracts.commands import Command
from contracts.events import EventData
from contracts.money import Money


class AuthorizePayment(Command):
    """Hold the amount on the buyer's card, once however often it is sent."""

    amount: Money
    token: str = Field(description="the provider's own token; card data never reaches us")


class VoidPayment(Command):
    """Let go of what is held for an order, and refuse an authorisation of it that comes late."""


class CapturePayment(Command):
    """Take the amount that is held."""


class RefundPayment(Command):
    """Give back a part or all of what was captured; `key` names this one refund."""

    amount: Money
    key: str


class PaymentChanged(EventData):
    """All of a payment after a change."""

    order_id: str
    state: str
    amount: Money
    captured: int
    refunded: int
    reason: str | None = None


PAYMENT_AUTHORIZED = "payments.authorized"
PAYMENT_DECLINED = "payments.declined"
PAYMENT_VOIDED = "payments.voided"
PAYMENT_CAPTURED = "payments.captured"
PAYMENT_REFUNDED = "payments.refunded"
