"""What orders refuses."""

from contracts.checkout import CANCELLED
from contracts.errors import DomainError, Kind


class MissingIdempotencyKey(DomainError):
    code = "idempotency.missing"
    kind = Kind.MALFORMED


class IdempotencyMismatch(DomainError):
    """The key was used before, for another request."""

    code = "idempotency.mismatch"
    kind = Kind.INVALID


class EmptyCart(DomainError):
    code = "checkout.cart_empty"
    kind = Kind.INVALID


class CartInUse(DomainError):
    """The cart is being bought under another key: one cart makes one order at a time."""

    code = "checkout.cart_in_use"
    kind = Kind.CONFLICT


class CartBought(CartInUse):
    """The cart was bought a moment ago and has not heard of it yet."""


class CartChanged(DomainError):
    """What the buyer would pay is not what the buyer saw."""

    code = "checkout.cart_changed"
    kind = Kind.CONFLICT


class OrderNotFound(DomainError):
    """No such order, or not this caller's: the two look alike on purpose."""

    code = "orders.not_found"
    kind = Kind.NOT_FOUND


class CheckoutCalledOff(DomainError):
    """A cancel, a refusal or the time limit came first: the order cannot be confirmed any more."""

    code = CANCELLED.code
    kind = Kind.CONFLICT


class AlreadyConfirmed(DomainError):
    """The checkout is past its pivot; what follows is the order's own life."""

    code = "checkout.already_confirmed"
    kind = Kind.CONFLICT


class NeedsNoOperator(DomainError):
    """Nothing of this checkout waits for a person."""

    code = "checkout.needs_no_operator"
    kind = Kind.CONFLICT


class AlreadyEnded(DomainError):
    """The checkout has ended without an order: there is nothing left to cancel."""

    code = "checkout.already_ended"
    kind = Kind.CONFLICT


class TooLateToCancel(DomainError):
    """The base of why an order cannot be cancelled any more."""

    kind = Kind.CONFLICT


class AlreadyRejected(TooLateToCancel):
    code = "orders.already_rejected"


class AlreadyShipped(TooLateToCancel):
    code = "orders.already_shipped"


class AlreadyDelivered(TooLateToCancel):
    code = "orders.already_delivered"


class AlreadyCompleted(TooLateToCancel):
    code = "orders.already_completed"


class CancellationRefused(TooLateToCancel):
    """It was asked for before, and the parcel could not be stopped."""

    code = "orders.cancellation_refused"


class RefundExceedsCapture(DomainError):
    code = "payments.refund_exceeds_capture"
    kind = Kind.CONFLICT


class UnknownRefund(DomainError):
    code = "orders.unknown_refund"
    kind = Kind.NOT_FOUND
