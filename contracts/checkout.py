"""The checkout's language: what the workflow is given, what its own steps are told, how it ends."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.commands import Command
from contracts.errors import Kind, Refusal
from contracts.inventory import StockLine
from contracts.money import Money

WORKFLOW = "Checkout"
PLACE = "place"
RESUME = "resume"
RESOLVE = "resolve"


class CheckoutState(StrEnum):
    RUNNING = "running"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    NEEDS_OPERATOR = "needs_operator"


CANCELLED = Refusal(
    code="checkout.cancelled",
    kind=Kind.CONFLICT,
    detail="This checkout was cancelled before it was confirmed; nothing was charged.",
)
ABANDONED = CANCELLED.model_copy(
    update={"detail": "This checkout was stopped by an operator and undone; nothing was charged."}
)
EXPIRED = Refusal(
    code="checkout.expired",
    kind=Kind.CONFLICT,
    detail="This checkout took longer than it may and was undone; nothing was charged.",
)
_CALLED_OFF = frozenset({CANCELLED.code, EXPIRED.code})


def state_after(refusal: Refusal) -> CheckoutState:
    """How a checkout ends that was undone for this reason: refused by a service, or called off."""
    return CheckoutState.CANCELLED if refusal.code in _CALLED_OFF else CheckoutState.REJECTED


class StepName(StrEnum):
    """The checkout's steps, in their order, then their undos, then those of what comes later."""

    RESERVE_STOCK = "inventory.reserve"
    AUTHORIZE_PAYMENT = "payments.authorize"
    CONFIRM_ORDER = "orders.confirm"
    # Of checkouts that an earlier version ran: today carts settles itself when it hears of the order.
    SETTLE_CART = "carts.settle"
    RELEASE_STOCK = "inventory.release"
    VOID_PAYMENT = "payments.void"
    # Of orders that are cancelled after their checkout.
    STOP_SHIPMENT = "fulfilment.stop"
    GIVE_BACK_PAYMENT = "payments.give_back"
    # Of refunds that the staff asks for.
    REFUND_PAYMENT = "payments.refund"


FORWARD_STEPS = (
    StepName.RESERVE_STOCK,
    StepName.AUTHORIZE_PAYMENT,
    StepName.CONFIRM_ORDER,
)


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    FAILING = "failing"


class Step(BaseModel):
    """One step as people look at it: in the REST API, in the Temporal UI, in the order's own row."""

    # Whoever is shown a step is shown all of its fields.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    name: StepName
    state: StepState = StepState.WAITING
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    detail: str | None = None


class StepDone(BaseModel):
    """What a step's activity answers: that it is done, and at which attempt."""

    attempts: int


class Checkout(BaseModel):
    """Everything the workflow needs; no address, no mail, and the cart only by its reference."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    cart_ref: str
    generation: int
    lines: tuple[StockLine, ...]
    total: Money
    payment_token: str
    time_limit: timedelta
    undo_only: bool = False
    traceparent: str | None = None

    @property
    def workflow_id(self) -> str:
        return workflow_id_of(self.order_id)


def workflow_id_of(order_id: str) -> str:
    return f"checkout-{order_id}"


class Outcome(BaseModel):
    """How a checkout ended; `refusal` says why where it did not end well."""

    model_config = ConfigDict(frozen=True)

    state: CheckoutState
    refusal: Refusal | None = None


class ConfirmOrder(Command):
    """Make the order final: the pivot, after which there is only forward."""


class BeginUndo(Command):
    """Ask the order's row whether the checkout may be undone, for this reason."""

    refusal: Refusal


class UndoVerdict(BaseModel):
    """The row's answer: go forward if it is confirmed, else undo for the reason that stands in the row."""

    confirmed: bool
    refusal: Refusal | None = None


class EndUndone(Command):
    """Close an order whose undos are all done."""

    steps: tuple[Step, ...]


class CloseCheckout(Command):
    """Store how a confirmed checkout went."""

    steps: tuple[Step, ...]


class CallOperator(Command):
    """Mark a checkout whose undo keeps failing, so that a person finds it."""

    detail: str


class AwaitAction(Command):
    """Show the buyer where to act before the payment can be held."""

    action_url: str


class Resolution(BaseModel):
    """An operator's word that what keeps failing was settled by hand: how, and who says so."""

    model_config = ConfigDict(frozen=True)

    note: str
    by: str
