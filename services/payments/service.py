"""Payments' use cases: the only way in."""

from contracts.events import Event
from contracts.money import Money
from contracts.payments import (
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURED,
    PAYMENT_DECLINED,
    PAYMENT_REFUNDED,
    PAYMENT_VOIDED,
    AuthorizePayment,
    CapturePayment,
    PaymentChanged,
    RefundPayment,
    VoidPayment,
)
from runtime.clock import Clock, utc_now
from services.payments import rules
from services.payments.errors import UnknownPayment
from services.payments.free import FreeOfCharge
from services.payments.provider import Authorization, Declined, Held, PaymentProvider
from services.payments.store import Movement, Payment, PaymentsStore, PaymentsTransaction
from services.payments.tables import MovementKind, MovementState, PaymentState

NOTHING = Money(amount=0, currency="XXX")


def authorize_key(order_id: str) -> str:
    """The provider's idempotency key of an order's one authorisation; a compensation has its own."""
    return f"checkout-{order_id}:authorize"


def void_key(order_id: str) -> str:
    return f"checkout-{order_id}:void"


def capture_key(order_id: str) -> str:
    return f"checkout-{order_id}:capture"


def refund_key(order_id: str, key: str) -> str:
    """The provider's key of one refund: what names it need only be unique within the order."""
    return f"checkout-{order_id}:refund:{key}"


class PaymentsService:
    """Money at a provider: each movement is written down before the call and settled after it.

    No database transaction is open while the provider works, and a lost answer is never taken for a no.
    """

    def __init__(self, store: PaymentsStore, provider: PaymentProvider, clock: Clock = utc_now) -> None:
        self._store = store
        self._provider = FreeOfCharge(provider)
        self._clock = clock

    async def authorize(self, command: AuthorizePayment) -> None:
        """Hold the amount, or refuse with PaymentDeclined; safe to repeat, also after a lost answer."""
        order_id, now = command.order_id, self._clock()
        async with self._store.begin() as tx:
            opened = await tx.open(
                order_id, PaymentState.AUTHORIZING, command.amount, command.token, self._provider.name, now
            )
            if opened:
                await tx.begin_movement(
                    authorize_key(order_id), order_id, MovementKind.AUTHORIZATION, command.amount, now
                )
            elif not _asks_provider(await _known(tx, order_id)):
                return
        answer = await self._ask(order_id, command.amount, command.token)
        async with self._store.begin() as tx:
            payment = await _known(tx, order_id, lock=True)
            if _asks_provider(payment):
                payment = await self._record(tx, payment, answer)
        if isinstance(answer, Declined):
            raise rules.declined(answer.reason)

    async def void(self, command: VoidPayment) -> None:
        """Let go of whatever is held for the order, settling an unknown authorisation first; safe to repeat.

        Where nothing was begun it leaves a tombstone, so that a late authorisation is refused.
        """
        order_id, now = command.order_id, self._clock()
        async with self._store.begin() as tx:
            if await tx.open(order_id, PaymentState.VOIDED, NOTHING, "", self._provider.name, now):
                return
            payment = await _known(tx, order_id, lock=True)
            if not rules.must_void(payment.state):
                return
            if payment.state is not PaymentState.VOIDING:
                payment = await tx.move(order_id, PaymentState.VOIDING, now)
        held = await self._settled(payment)
        if held is not None:
            async with self._store.begin() as tx:
                await tx.begin_movement(void_key(order_id), order_id, MovementKind.VOID, payment.amount, now)
            await self._provider.void(key=void_key(order_id), provider_id=held.provider_id)
        await self._record_void(payment, held)

    async def capture(self, command: CapturePayment) -> None:
        """Take what is held; refused where nothing is. Safe to repeat."""
        order_id, now = command.order_id, self._clock()
        async with self._store.begin() as tx:
            payment = await _known(tx, order_id, lock=True)
            if not rules.must_capture(payment.state):
                return
            await tx.move(order_id, PaymentState.CAPTURING, now)
            await tx.begin_movement(
                capture_key(order_id), order_id, MovementKind.CAPTURE, payment.amount, now
            )
        await self._provider.capture(
            key=capture_key(order_id), provider_id=payment.provider_id or "", amount=payment.amount
        )
        async with self._store.begin() as tx:
            payment = await _known(tx, order_id, lock=True)
            if payment.state is PaymentState.CAPTURED:
                return
            now = self._clock()
            captured = await tx.move(order_id, PaymentState.CAPTURED, now, captured=payment.amount.amount)
            await tx.settle_movement(capture_key(order_id), MovementState.DONE, now)
            await tx.emit([self._event(PAYMENT_CAPTURED, captured)])

    async def refund(self, command: RefundPayment) -> None:
        """Give back part or all of what was captured, once per key; refused beyond it. Safe to repeat."""
        order_id, now = command.order_id, self._clock()
        key = refund_key(order_id, command.key)
        async with self._store.begin() as tx:
            payment = await _known(tx, order_id, lock=True)
            rules.check_refund_key(await tx.amount_of(key), command.amount)
            rules.check_refund(
                payment.state,
                command.amount,
                currency=payment.amount.currency,
                captured=payment.captured,
                spoken_for=await tx.refunds_not_refused(order_id, besides=key),
            )
            state = await tx.begin_movement(key, order_id, MovementKind.REFUND, command.amount, now)
        if state is MovementState.DONE:
            return
        await self._provider.refund(key=key, provider_id=payment.provider_id or "", amount=command.amount)
        async with self._store.begin() as tx:
            payment = await _known(tx, order_id, lock=True)
            again = await tx.begin_movement(key, order_id, MovementKind.REFUND, command.amount, now)
            if again is MovementState.DONE:
                return
            now = self._clock()
            refunded = await tx.move(order_id, payment.state, now, refunded=command.amount.amount)
            await tx.settle_movement(key, MovementState.DONE, now)
            await tx.emit([self._event(PAYMENT_REFUNDED, refunded)])

    async def payment_of(self, order_id: str) -> tuple[Payment, list[Movement]]:
        """An order's payment with its ledger."""
        async with self._store.begin() as tx:
            return await _known(tx, order_id), await tx.ledger(order_id)

    async def ready(self) -> None:
        await self._store.ping()

    async def _ask(self, order_id: str, amount: Money, token: str) -> Authorization:
        return await self._provider.authorize(
            key=authorize_key(order_id), amount=amount, token=token, reference=order_id
        )

    async def _settled(self, payment: Payment) -> Held | None:
        """What the provider holds, made certain: an authorisation still in flight cannot land afterwards.

        A look-up alone could miss one that is on its way, so an unknown key is claimed by sending it again.
        """
        if payment.provider_id is not None:
            return Held(payment.provider_id)
        found = await self._provider.find(key=authorize_key(payment.order_id))
        if found is None:
            found = await self._ask(payment.order_id, payment.amount, payment.token)
        return found if isinstance(found, Held) else None

    async def _record(self, tx: PaymentsTransaction, payment: Payment, answer: Authorization) -> Payment:
        order_id, now = payment.order_id, self._clock()
        if isinstance(answer, Held):
            authorized = await tx.move(order_id, PaymentState.AUTHORIZED, now, provider_id=answer.provider_id)
            await tx.settle_movement(authorize_key(order_id), MovementState.DONE, now)
            await tx.emit([self._event(PAYMENT_AUTHORIZED, authorized)])
            return authorized
        declined = await tx.move(order_id, PaymentState.DECLINED, now, decline_reason=answer.reason)
        await tx.settle_movement(authorize_key(order_id), MovementState.REFUSED, now)
        await tx.emit([self._event(PAYMENT_DECLINED, declined)])
        return declined

    async def _record_void(self, payment: Payment, held: Held | None) -> None:
        order_id, now = payment.order_id, self._clock()
        async with self._store.begin() as tx:
            current = await _known(tx, order_id, lock=True)
            if current.state is PaymentState.VOIDED:
                return
            outcome = MovementState.DONE if held is not None else MovementState.REFUSED
            await tx.settle_movement(authorize_key(order_id), outcome, now)
            await tx.settle_movement(void_key(order_id), MovementState.DONE, now)
            voided = await tx.move(
                order_id,
                PaymentState.VOIDED,
                now,
                provider_id=held.provider_id if held is not None else None,
            )
            await tx.emit([self._event(PAYMENT_VOIDED, voided)])

    def _event(self, event_type: str, payment: Payment) -> Event:
        return Event.of(
            event_type,
            subject=payment.order_id,
            sequence=payment.sequence,
            time=self._clock(),
            data=PaymentChanged(
                order_id=payment.order_id,
                state=payment.state,
                amount=payment.amount,
                captured=payment.captured,
                refunded=payment.refunded,
                reason=payment.decline_reason,
            ),
        )


def _asks_provider(payment: Payment) -> bool:
    return rules.must_ask_provider(payment.state, payment.decline_reason)


async def _known(tx: PaymentsTransaction, order_id: str, *, lock: bool = False) -> Payment:
    payment = await tx.find(order_id, lock=lock)
    if payment is None:
        raise UnknownPayment(f"there is no payment for order {order_id}")
    return payment
