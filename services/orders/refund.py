"""A refund as the service and its callers see it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from contracts.errors import Refusal
from contracts.money import Money
from contracts.orders import RefundOrder, RefundState


@dataclass(frozen=True)
class RefundRequest:
    """What the staff asks for; without an amount, all that is left."""

    order_id: str
    reason: str
    requested_by: str
    amount: Money | None = None
    key: str | None = None

    @property
    def refund_id(self) -> str:
        """The same for one key of one person; without a key, each request is a refund of its own."""
        if self.key is None:
            return uuid4().hex
        named = "\n".join((self.order_id, self.requested_by, self.key))
        return hashlib.sha256(named.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Refund:
    """One refund of an order; `refusal` says why it was not made."""

    id: str
    order_id: str
    amount: Money
    reason: str
    requested_by: str
    state: RefundState
    created_at: datetime
    refusal: Refusal | None = None
    operator_note: str | None = None
    settled_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.state is not RefundState.REQUESTED

    @property
    def needs_operator(self) -> bool:
        """Whether it cannot end without a person, as far as one can tell."""
        return self.operator_note is not None and not self.has_ended

    def order(self, traceparent: str | None) -> RefundOrder:
        """What the refund's workflow is given."""
        return RefundOrder(
            refund_id=self.id, order_id=self.order_id, amount=self.amount, traceparent=traceparent
        )
