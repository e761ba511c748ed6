"""What payments says of itself."""

from datetime import datetime

from contracts.events import Event
from contracts.payments import PROVIDER_REPORTED, PaymentChanged, ProviderReported
from services.payments.provider import Report
from services.payments.store import Payment


def changed(event_type: str, payment: Payment, now: datetime) -> Event:
    """All of a payment after a change."""
    return Event.of(
        event_type,
        subject=payment.order_id,
        sequence=payment.sequence,
        time=now,
        data=PaymentChanged(
            order_id=payment.order_id,
            state=payment.state,
            amount=payment.amount,
            captured=payment.captured,
            refunded=payment.refunded,
            reason=payment.capture_failure or payment.decline_reason,
        ),
    )


def reported(provider: str, report: Report, sequence: int, now: datetime) -> Event:
    """That a provider told us something of an order, not what."""
    return Event.of(
        PROVIDER_REPORTED,
        subject=report.order_id,
        sequence=sequence,
        time=now,
        data=ProviderReported(order_id=report.order_id, provider=provider, report_id=report.id),
    )
