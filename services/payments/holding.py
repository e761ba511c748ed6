"""Money that is held at the provider, and let go of."""

from contracts.money import Money
from contracts.payments import (
    PAYMENT_ACTION_REQUIRED,
    PAYMENT_AUTHORIZED,
    PAYMENT_DECLINED,
    PAYMENT_VOIDED,
    AuthorizePayment,
)
from runtime.clock import Clock
from services.payments import rules
from services.payments.movements import authorize_key, late_void_key, void_key
from services.payments.provider import ActionRequired, Authorization, Declined, Held, PaymentProvider
from services.payments.store import Payment, PaymentsStore, PaymentsTransaction
from services.payments.tables import MovementKind, MovementState, PaymentState
from services.payments.telling import changed

NOTHING = Money(amount=0, currency="XXX")


class Holding:
    def __init__(self, store: PaymentsStore, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def authorize(self, command: AuthorizePayment) -> Payment:
        """Ask the provider for the amount, or for what has become of an earlier request."""
        order_id, now = command.order_id, self._clock()
        async with self._store.begin() as tx:
            opened = await tx.open(
                order_id, PaymentState.AUTHORIZING, command.amount, command.token, self._provider.name, now
            )
            if opened:
                await tx.begin_movement(
                    authorize_key(order_id), order_id, MovementKind.AUTHORIZATION, command.amount, now
                )
            elif not _asks_provider(payment := await tx.known(order_id)):
                return payment
        ask = self._ask if opened else self._answer_by_now
        answer = await ask(order_id, command.amount, command.token)
        async with self._store.begin() as tx:
            payment = await tx.known(order_id, lock=True)
            if _asks_provider(payment):
                payment = await self._record(tx, payment, answer)
        if isinstance(answer, Declined):
            raise rules.declined(answer.reason)
        return payment

    async def void(self, order_id: str) -> None:
        """Let go of whatever is held; a tombstone where nothing was begun."""
        now = self._clock()
        async with self._store.begin() as tx:
            if await tx.open(order_id, PaymentState.VOIDED, NOTHING, "", self._provider.name, now):
                return
            payment = await tx.known(order_id, lock=True)
            if not rules.must_void(payment.state):
                return
            if payment.state is not PaymentState.VOIDING:
                payment = await tx.move(order_id, PaymentState.VOIDING, now, action_url=payment.action_url)
        settled = await self._settled(payment)
        if not isinstance(settled, Declined):
            await self._begin_void(payment, settled)
            await self._provider.void(key=void_key(order_id), provider_id=settled.provider_id)
        await self._record_void(order_id)

    async def void_late(self, order_id: str) -> None:
        """Let go of what the provider came to hold for a payment that was over by then."""
        async with self._store.begin() as tx:
            payment = await tx.find(order_id)
        if payment is None or not rules.nothing_may_be_held(payment.state):
            return
        found = await self._provider.find(key=authorize_key(order_id))
        if found is None or isinstance(found, Declined):
            return
        key = late_void_key(order_id)
        async with self._store.begin() as tx:
            await tx.begin_movement(key, order_id, MovementKind.VOID, payment.amount, self._clock())
        await self._provider.void(key=key, provider_id=found.provider_id)
        async with self._store.begin() as tx:
            await tx.settle_movement(key, MovementState.DONE, self._clock())

    async def _ask(self, order_id: str, amount: Money, token: str) -> Authorization:
        return await self._provider.authorize(
            key=authorize_key(order_id), amount=amount, token=token, reference=order_id
        )

    async def _answer_by_now(self, order_id: str, amount: Money, token: str) -> Authorization:
        """What the provider says of a request that may have been sent before.

        It is looked up, for a provider forgets its keys; but a look-up alone could miss a request that is on
        its way, so an unknown key is claimed by sending it again.
        """
        found = await self._provider.find(key=authorize_key(order_id))
        return found if found is not None else await self._ask(order_id, amount, token)

    async def _settled(self, payment: Payment) -> Authorization:
        """What became of the authorisation, made certain: nothing can land afterwards."""
        if payment.provider_id is not None and payment.action_url is None:
            return Held(payment.provider_id)
        return await self._answer_by_now(payment.order_id, payment.amount, payment.token)

    async def _record(self, tx: PaymentsTransaction, payment: Payment, answer: Authorization) -> Payment:
        order_id, key, now = payment.order_id, authorize_key(payment.order_id), self._clock()
        match answer:
            case Held(provider_id):
                after = await tx.move(order_id, PaymentState.AUTHORIZED, now, provider_id=provider_id)
                await tx.settle_movement(key, MovementState.DONE, now)
                told = PAYMENT_AUTHORIZED
            case Declined(reason):
                after = await tx.move(order_id, PaymentState.DECLINED, now, decline_reason=reason)
                await tx.settle_movement(key, MovementState.REFUSED, now)
                told = PAYMENT_DECLINED
            case ActionRequired(provider_id, url):
                if payment.action_url is not None:
                    return payment
                after = await tx.move(
                    order_id, PaymentState.AUTHORIZING, now, provider_id=provider_id, action_url=url
                )
                told = PAYMENT_ACTION_REQUIRED
        await tx.emit([changed(told, after, now)])
        return after

    async def _begin_void(self, payment: Payment, settled: Held | ActionRequired) -> None:
        """Write down what was learnt of the authorisation, so that a repeat need not ask again."""
        order_id, now = payment.order_id, self._clock()
        outcome = MovementState.DONE if isinstance(settled, Held) else MovementState.REFUSED
        async with self._store.begin() as tx:
            current = await tx.known(order_id, lock=True)
            if current.state is not PaymentState.VOIDING:
                return
            await tx.settle_movement(authorize_key(order_id), outcome, now)
            await tx.begin_movement(void_key(order_id), order_id, MovementKind.VOID, payment.amount, now)
            await tx.move(order_id, PaymentState.VOIDING, now, provider_id=settled.provider_id)

    async def _record_void(self, order_id: str) -> None:
        now = self._clock()
        async with self._store.begin() as tx:
            current = await tx.known(order_id, lock=True)
            if current.state is PaymentState.VOIDED:
                return
            await tx.settle_movement(authorize_key(order_id), MovementState.REFUSED, now)
            await tx.settle_movement(void_key(order_id), MovementState.DONE, now)
            voided = await tx.move(order_id, PaymentState.VOIDED, now)
            await tx.emit([changed(PAYMENT_VOIDED, voided, now)])


def _asks_provider(payment: Payment) -> bool:
    return rules.must_ask_provider(payment.state, payment.decline_reason)
