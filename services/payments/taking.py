"""Money that is taken, and given back."""

from contextlib import suppress

from contracts.money import Money
from contracts.payments import PAYMENT_CAPTURE_FAILED, PAYMENT_CAPTURED, PAYMENT_REFUNDED
from runtime.clock import Clock
from services.payments import rules
from services.payments.errors import CaptureFailed
from services.payments.movements import capture_key, give_back_key
from services.payments.provider import Declined, PaymentProvider
from services.payments.store import Payment, PaymentsStore, PaymentsTransaction
from services.payments.tables import MovementKind, MovementState, PaymentState
from services.payments.telling import changed


class Taking:
    def __init__(self, store: PaymentsStore, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def capture(self, order_id: str) -> None:
        """Take what is held. A refusal ends the attempt; the next call is a new one, under its own key."""
        async with self._store.begin() as tx:
            payment = await tx.known(order_id, lock=True)
            if not rules.must_capture(payment.state):
                return
            now, key = self._clock(), await _capture_key(tx, order_id)
            await tx.move(order_id, PaymentState.CAPTURING, now)
            await tx.begin_movement(key, order_id, MovementKind.CAPTURE, payment.amount, now)
        await self._take(payment, key)

    async def refund(self, order_id: str, key: str, amount: Money) -> None:
        """Give an amount back, once per key and never beyond what was taken."""
        async with self._store.begin() as tx:
            payment = await tx.known(order_id, lock=True)
            named = await tx.movement(key)
            rules.check_refund_key(named.amount if named is not None else None, amount)
            is_due = await self._begin_refund(tx, payment, key, amount)
        if is_due:
            await self._carry_out_refund(payment, key, amount)

    async def give_back(self, order_id: str) -> bool:
        """Refund all that was taken and is not refunded or spoken for; False when nothing was taken."""
        await self._settle_capture(order_id)
        key = give_back_key(order_id)
        async with self._store.begin() as tx:
            payment = await tx.known(order_id, lock=True)
            if payment.state is not PaymentState.CAPTURED:
                return False
            named = await tx.movement(key)
            amount = named.amount if named is not None else await _left_of(tx, payment, key)
            is_due = amount.amount > 0 and await self._begin_refund(tx, payment, key, amount)
        if is_due:
            await self._carry_out_refund(payment, key, amount)
        return True

    async def _settle_capture(self, order_id: str) -> None:
        """Learn what became of a capture whose answer was lost, by sending it again under its own key."""
        async with self._store.begin() as tx:
            payment = await tx.known(order_id, lock=True)
            if not rules.must_settle_capture(payment.state):
                return
            key = await _capture_key(tx, order_id)
        # A refusal is an answer as well: it is recorded, and nothing was taken.
        with suppress(CaptureFailed):
            await self._take(payment, key)

    async def _take(self, payment: Payment, key: str) -> None:
        order_id = payment.order_id
        refused = await self._provider.capture(
            key=key, provider_id=payment.provider_id or "", amount=payment.amount
        )
        async with self._store.begin() as tx:
            current = await tx.known(order_id, lock=True)
            if refused is not None:
                await self._record_refusal(tx, order_id, key, refused)
            elif current.state is not PaymentState.CAPTURED:
                now = self._clock()
                captured = await tx.move(order_id, PaymentState.CAPTURED, now, captured=payment.amount.amount)
                await tx.settle_movement(key, MovementState.DONE, now)
                await tx.emit([changed(PAYMENT_CAPTURED, captured, now)])
        if refused is not None:
            raise CaptureFailed(
                f"the payment provider did not give the amount that it held: {refused.reason}"
            )

    async def _record_refusal(
        self, tx: PaymentsTransaction, order_id: str, key: str, refused: Declined
    ) -> None:
        attempt, now = await tx.movement(key), self._clock()
        if attempt is None or attempt.state is not MovementState.PENDING:
            return
        await tx.settle_movement(key, MovementState.REFUSED, now)
        held = await tx.move(order_id, PaymentState.AUTHORIZED, now, capture_failure=refused.reason)
        await tx.emit([changed(PAYMENT_CAPTURE_FAILED, held, now)])

    async def _begin_refund(self, tx: PaymentsTransaction, payment: Payment, key: str, amount: Money) -> bool:
        """Write a refund down before the provider hears of it; False when it was made already."""
        rules.check_refund(
            payment.state,
            amount,
            currency=payment.amount.currency,
            captured=payment.captured,
            spoken_for=await tx.refunds_not_refused(payment.order_id, besides=key),
        )
        begun = await tx.begin_movement(key, payment.order_id, MovementKind.REFUND, amount, self._clock())
        return begun is not MovementState.DONE

    async def _carry_out_refund(self, payment: Payment, key: str, amount: Money) -> None:
        await self._provider.refund(key=key, provider_id=payment.provider_id or "", amount=amount)
        async with self._store.begin() as tx:
            current = await tx.known(payment.order_id, lock=True)
            refund = await tx.movement(key)
            if refund is None or refund.state is MovementState.DONE:
                return
            now = self._clock()
            refunded = await tx.move(current.order_id, current.state, now, refunded=amount.amount)
            await tx.settle_movement(key, MovementState.DONE, now)
            await tx.emit([changed(PAYMENT_REFUNDED, refunded, now)])


async def _capture_key(tx: PaymentsTransaction, order_id: str) -> str:
    """The key of the attempt that is due or under way."""
    return capture_key(order_id, 1 + await tx.captures_refused(order_id))


async def _left_of(tx: PaymentsTransaction, payment: Payment, key: str) -> Money:
    spoken_for = await tx.refunds_not_refused(payment.order_id, besides=key)
    return Money(amount=payment.captured - spoken_for, currency=payment.amount.currency)
