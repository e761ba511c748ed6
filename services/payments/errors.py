"""What payments refuses."""

from contracts.errors import DomainError, Kind


class PaymentDeclined(DomainError):
    """The provider said no; the buyer may try again with another card."""

    code = "payments.declined"
    kind = Kind.PAYMENT_REQUIRED


class PaymentVoided(DomainError):
    """The order's payment was let go before this step arrived; it stays so."""

    code = "payments.voided"
    kind = Kind.CONFLICT


class PaymentNotAuthorized(DomainError):
    """There is nothing held for this order that could be taken."""

    code = "payments.not_authorized"
    kind = Kind.CONFLICT


class PaymentCaptured(DomainError):
    """The amount was taken already: it can be refunded, not voided."""

    code = "payments.captured"
    kind = Kind.CONFLICT


class RefundExceedsCapture(DomainError):
    code = "payments.refund_exceeds_capture"
    kind = Kind.CONFLICT


class RefundKeyReused(DomainError):
    """The key names another refund of this order; a new refund needs a key of its own."""

    code = "payments.refund_key_reused"
    kind = Kind.CONFLICT


class UnknownPayment(DomainError):
    code = "payments.not_found"
    kind = Kind.NOT_FOUND


class CaptureFailed(DomainError):
    """The provider would not take what it held; the parcel waits for a person."""

    code = "payments.capture_failed"
    kind = Kind.CONFLICT


class ForgedWebhook(DomainError):
    """The signature does not hold, or is too old."""

    code = "payments.forged_webhook"
    kind = Kind.UNAUTHENTICATED


class UnknownProvider(DomainError):
    code = "payments.unknown_provider"
    kind = Kind.NOT_FOUND
