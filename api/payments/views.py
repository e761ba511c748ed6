"""What payments' routes answer."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field

from contracts.money import Money

if TYPE_CHECKING:
    from services.payments.store import Movement, Payment


class MovementView(BaseModel):
    """One movement of money at the provider; `key` is its idempotency key there."""

    key: str
    kind: str
    amount: Money
    state: str
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, movement: "Movement") -> Self:
        return cls(
            key=movement.key,
            kind=movement.kind,
            amount=movement.amount,
            state=movement.state,
            created_at=movement.created_at,
            settled_at=movement.settled_at,
        )


class PaymentView(BaseModel):
    """One order's payment with its ledger, oldest movement first."""

    order_id: str
    state: str
    amount: Money
    captured: Money
    refunded: Money
    provider_id: str | None
    decline_reason: str | None
    action_url: str | None = Field(description="where the buyer has to act before the amount can be held")
    capture_failure: str | None = Field(description="why the provider did not give what it held")
    ledger: list[MovementView]

    @classmethod
    def of(cls, payment: "Payment", ledger: "list[Movement]") -> Self:
        currency = payment.amount.currency
        return cls(
            order_id=payment.order_id,
            state=payment.state,
            amount=payment.amount,
            captured=Money(amount=payment.captured, currency=currency),
            refunded=Money(amount=payment.refunded, currency=currency),
            provider_id=payment.provider_id,
            decline_reason=payment.decline_reason,
            action_url=payment.action_url,
            capture_failure=payment.capture_failure,
            ledger=[MovementView.of(movement) for movement in ledger],
        )
