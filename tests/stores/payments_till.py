"""Payments over a database of its own and the sandbox provider's real process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import aiohttp

from contracts.errors import Unavailable
from contracts.events import Event
from contracts.money import Money
from contracts.payments import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from runtime.database import Database
from sandbox.psp.models import Kind
from services.payments.provider import Authorization, PaymentProvider
from services.payments.sandbox import SandboxProvider
from services.payments.service import PaymentsService, authorize_key
from services.payments.store import PaymentsStore
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase
from tests.psp_process import Psp, running_psp
from tests.stores.outbox import events_about

Passage = Callable[[], Awaitable[None]]

PRICE = Money(amount=1000, currency="EUR")


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


@dataclass(frozen=True)
class Till:
    """A payments service, and the two places where one can see what it did with the money."""

    database: Database
    psp: Psp
    session: aiohttp.ClientSession
    payments: PaymentsService

    def impatient(self) -> "Till":
        """The same till, which gives up on the provider after a moment."""
        return self._over(SandboxProvider(self.session, self.psp.url, timeout_seconds=0.3))

    def behind(
        self, *, there: dict[str, Passage] | None = None, back: dict[str, Passage] | None = None
    ) -> "Till":
        """The same till, behind a line of which the test decides what gets through, by the call's name."""
        real = SandboxProvider(self.session, self.psp.url, timeout_seconds=10.0)
        return self._over(Line(real, there or {}, back or {}))

    def _over(self, provider: PaymentProvider) -> "Till":
        return replace(self, payments=PaymentsService(PaymentsStore(self.database), provider))

    async def authorize(self, order_id: str, token: str = "tok_ok", amount: Money = PRICE) -> None:
        await self.payments.authorize(AuthorizePayment(order_id=order_id, amount=amount, token=token))

    async def void(self, order_id: str) -> None:
        await self.payments.void(VoidPayment(order_id=order_id))

    async def capture(self, order_id: str) -> None:
        await self.payments.capture(CapturePayment(order_id=order_id))

    async def refund(self, order_id: str, amount: int, key: str) -> None:
        await self.payments.refund(RefundPayment(order_id=order_id, amount=euros(amount), key=key))

    async def captured(self) -> str:
        """A new order whose money was taken."""
        order_id = new_order_id()
        await self.authorize(order_id)
        await self.capture(order_id)
        return order_id

    async def state(self, order_id: str) -> PaymentState:
        payment, _ = await self.payments.payment_of(order_id)
        return payment.state

    async def movements(self, order_id: str) -> list[str]:
        """Our ledger of the order's money, each as `kind state`."""
        _, ledger = await self.payments.payment_of(order_id)
        return [f"{movement.kind} {movement.state}" for movement in ledger]

    def at_psp(self, order_id: str) -> list[Kind]:
        """What the provider's own ledger says of the order's money, in order."""
        answers = (Kind.ANSWERED, Kind.FAULTED)
        return [entry.kind for entry in self.psp.ledger(reference=order_id) if entry.kind not in answers]

    async def charged(self, order_id: str) -> None:
        """Wait until the provider has made the order's charge."""
        provider = SandboxProvider(self.session, self.psp.url, timeout_seconds=10.0)
        async with asyncio.timeout(10):
            while await provider.find(key=authorize_key(order_id)) is None:
                pass

    async def events(self, order_id: str) -> list[Event]:
        return await events_about(self.database, order_id)

    async def told(self, order_id: str) -> list[str]:
        return [event.type for event in await self.events(order_id)]


@dataclass
class Gate:
    """Holds a call: `reached` when it is there, goes on when `opened`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


async def lost() -> None:
    raise Unavailable("the line is dead")


async def through() -> None:
    pass


@dataclass
class Line:
    """The real provider at the end of a line; a passage that a test sets is passed once, by one call."""

    real: PaymentProvider
    there: dict[str, Passage] = field(default_factory=dict)
    back: dict[str, Passage] = field(default_factory=dict)
    name: str = "sandbox"

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization:
        await self._pass(self.there, "authorize")
        answer = await self.real.authorize(key=key, amount=amount, token=token, reference=reference)
        await self._pass(self.back, "authorize")
        return answer

    async def find(self, *, key: str) -> Authorization | None:
        return await self.real.find(key=key)

    async def void(self, *, key: str, provider_id: str) -> None:
        await self._pass(self.there, "void")
        await self.real.void(key=key, provider_id=provider_id)
        await self._pass(self.back, "void")

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> None:
        await self._pass(self.there, "capture")
        await self.real.capture(key=key, provider_id=provider_id, amount=amount)
        await self._pass(self.back, "capture")

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None:
        await self._pass(self.there, "refund")
        await self.real.refund(key=key, provider_id=provider_id, amount=amount)
        await self._pass(self.back, "refund")

    async def _pass(self, passages: dict[str, Passage], call: str) -> None:
        await passages.pop(call, through)()


def new_order_id() -> str:
    return uuid4().hex


@asynccontextmanager
async def open_till(fresh_database: FreshDatabase, folder: Path) -> AsyncIterator[Till]:
    """A till with a provider of its own."""
    async with running_psp(folder) as psp:
        headers = {"authorization": f"Bearer {psp.api_key}"}
        database = Database(await fresh_database("payments"), pool_size=10)
        try:
            async with aiohttp.ClientSession(headers=headers) as session:
                provider = SandboxProvider(session, psp.url, timeout_seconds=10.0)
                yield Till(database, psp, session, PaymentsService(PaymentsStore(database), provider))
        finally:
            await database.dispose()
