"""Payments' use cases: the only way in."""

from collections.abc import Mapping
from datetime import timedelta

from contracts.payments import (
    AuthorizePayment,
    CapturePayment,
    GiveBackPayment,
    RefundPayment,
    VoidPayment,
)
from runtime.clock import Clock, utc_now
from runtime.reactions import Heard
from services.payments import rules
from services.payments.errors import PaymentCaptured, UnknownProvider
from services.payments.free import FreeOfCharge
from services.payments.heard import ReportFacts
from services.payments.holding import Holding
from services.payments.movements import refund_key
from services.payments.provider import PaymentProvider
from services.payments.store import Movement, Payment, PaymentsStore
from services.payments.taking import Taking
from services.payments.telling import reported

# Longer than any signature is fresh (webhook_tolerance_seconds), and than the 30 days for which Stripe keeps
# its events and can be told to send them again.
REPORTS_KEPT = timedelta(days=45)


class PaymentsService:
    """Money at a provider: each movement is written down before the call and settled after it.

    No database transaction is open while the provider works, and a lost answer is never taken for a no.
    """

    def __init__(self, store: PaymentsStore, provider: PaymentProvider, clock: Clock = utc_now) -> None:
        self._store = store
        self._provider = FreeOfCharge(provider)
        self._clock = clock
        self._holding = Holding(store, self._provider, clock)
        self._taking = Taking(store, self._provider, clock)

    async def authorize(self, command: AuthorizePayment) -> Payment:
        """Hold the amount, or refuse with PaymentDeclined; safe to repeat, also after a lost answer.

        With an `action_url`, the buyer has to act there first: asked again, it tells what has come of that.
        """
        return await self._holding.authorize(command)

    async def void(self, command: VoidPayment) -> None:
        """Let go of whatever is held for the order, settling an unknown authorisation first; safe to repeat.

        Where nothing was begun it leaves a tombstone, so that a late authorisation is refused.
        """
        await self._holding.void(command.order_id)

    async def capture(self, command: CapturePayment) -> None:
        """Take what is held; refused where nothing is, and with CaptureFailed where the provider refuses.

        Safe to repeat; after a refusal, the next call is a new attempt.
        """
        await self._taking.capture(command.order_id)

    async def refund(self, command: RefundPayment) -> None:
        """Give back part or all of what was captured, once per key; refused beyond it. Safe to repeat."""
        key = refund_key(command.order_id, command.key)
        await self._taking.refund(command.order_id, key, command.amount)

    async def give_back(self, command: GiveBackPayment) -> None:
        """Let go of what is held, or refund what is left of what was taken. Safe to repeat.

        Where nothing was begun it leaves a tombstone, as a void does.
        """
        while True:
            try:
                return await self._holding.void(command.order_id)
            except PaymentCaptured:
                # Not so where a capture was under way and turns out to have been refused: it is held again.
                if await self._taking.give_back(command.order_id):
                    return None

    async def receive_webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """Tell, once per message, that a provider reported something of an order; safe to repeat.

        Refused with ForgedWebhook where the signature does not hold. Nothing else of the message is believed.
        Where the amount is held or taken already, nobody waits for news: the message is noted, no more.
        """
        if provider != self._provider.name:
            raise UnknownProvider("payments has no provider of this name")
        now = self._clock()
        report = self._provider.report_in(headers, body, now)
        if report is None:
            return
        async with self._store.begin() as tx:
            if not await tx.note_report(provider, report, now):
                return
            payment = await tx.find(report.order_id, lock=True)
            if payment is None or rules.waits_for_news(payment.state):
                sequence = await tx.next_sequence(report.order_id)
                await tx.emit([reported(provider, report, sequence, now)])

    async def forget_old_reports(self) -> int:
        """Drop the reports that nobody sends again, a transaction at a time; answers how many.

        Safe to repeat, and by two at once. One that came again all the same would be told again, no more.
        """
        before, dropped = self._clock() - REPORTS_KEPT, 0
        while True:
            async with self._store.begin() as tx:
                now = await tx.drop_reports(before)
            if now == 0:
                return dropped
            dropped += now

    async def settle_report(self, heard: Heard[ReportFacts]) -> None:
        """Let go of what the provider came to hold for a payment that is over; safe to repeat.

        Whoever waits for a payment that is not over asks for itself.
        """
        await self._holding.void_late(heard.facts.order_id)

    async def payment_of(self, order_id: str) -> tuple[Payment, list[Movement]]:
        """An order's payment with its ledger."""
        async with self._store.begin() as tx:
            return await tx.known(order_id), await tx.ledger(order_id)

    async def ready(self) -> None:
        await self._store.ping()
