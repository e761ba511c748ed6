"""Payments over a database of its own and the sandbox provider's real process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aiohttp

from contracts.errors import Unavailable
from contracts.events import Event
from contracts.money import Money
from contracts.payments import (
    AuthorizePayment,
    CapturePayment,
    GiveBackPayment,
    RefundPayment,
    VoidPayment,
)
from runtime.clock import utc_now
from runtime.database import Database
from runtime.reactions import by_type
from sandbox.psp.models import Kind
from services.payments.movements import authorize_key
from services.payments.provider import Authorization, Declined, PaymentProvider, Report
from services.payments.sandbox import SandboxProvider
from services.payments.service import PaymentsService
from services.payments.store import Payment, PaymentsStore
from services.payments.tables import PaymentState
from services.payments.telling import reported
from tests.conftest import FreshDatabase
from tests.polling import until
from tests.psp_process import Psp, running_psp
from tests.stores.outbox import events_about
from workers.payments import HEARS

Passage = Callable[[], Awaitable[None]]

ASKING = "tok_action_required"
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
        """The same till, which gives up on the provider after a while: no stall is as long.

        What it has asked for by then may come later still.
        """
        return self.over(provider_at(self.psp, self.session, timeout_seconds=3.0))

    def behind(
        self, *, there: dict[str, Passage] | None = None, back: dict[str, Passage] | None = None
    ) -> "Till":
        """The same till, behind a line of which the test decides what gets through, by the call's name."""
        return self.over(Line(self.provider, there or {}, back or {}))

    @property
    def provider(self) -> SandboxProvider:
        """The provider as anybody with our credential sees it, past our books."""
        return provider_at(self.psp, self.session)

    def over(self, provider: PaymentProvider) -> "Till":
        """The same till, with somebody else at the other end."""
        return replace(self, payments=PaymentsService(PaymentsStore(self.database), provider))

    async def authorize(self, order_id: str, token: str = "tok_ok", amount: Money = PRICE) -> Payment:
        return await self.payments.authorize(AuthorizePayment(order_id=order_id, amount=amount, token=token))

    async def asked(self, order_id: str) -> str:
        """Authorise with a card whose buyer has to act first; the page where."""
        payment = await self.authorize(order_id, ASKING)
        assert payment.action_url is not None
        return payment.action_url

    async def act(self, page: str, outcome: str) -> int:
        """What the buyer does at their bank; the page's answer."""
        async with self.session.post(page, json={"outcome": outcome}) as answer:
            return answer.status

    async def settle_report(self, order_id: str) -> None:
        """Let payments hear that the provider has reported something of the order."""
        event = reported("sandbox", Report(f"evt_{order_id}", order_id), 1, utc_now())
        for reaction in by_type(HEARS)[event.type]:
            await reaction.react(self.payments, reaction.hear(event))

    async def void(self, order_id: str) -> None:
        await self.payments.void(VoidPayment(order_id=order_id))

    async def capture(self, order_id: str) -> None:
        await self.payments.capture(CapturePayment(order_id=order_id))

    async def give_back(self, order_id: str) -> None:
        await self.payments.give_back(GiveBackPayment(order_id=order_id))

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

    def page_at_psp(self, order_id: str) -> str:
        """The page to which the provider sends an order's buyer, by its own ledger."""
        [page] = [entry.action_url for entry in self.psp.ledger(reference=order_id) if entry.action_url]
        return page

    async def charged(self, order_id: str) -> None:
        """Wait until the provider has made the order's charge."""

        async def is_found() -> bool:
            return await self.provider.find(key=authorize_key(order_id)) is not None

        await until(is_found)

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

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> Declined | None:
        await self._pass(self.there, "capture")
        refused = await self.real.capture(key=key, provider_id=provider_id, amount=amount)
        await self._pass(self.back, "capture")
        return refused

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None:
        await self._pass(self.there, "refund")
        await self.real.refund(key=key, provider_id=provider_id, amount=amount)
        await self._pass(self.back, "refund")

    def report_in(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report | None:
        return self.real.report_in(headers, body, now)

    async def _pass(self, passages: dict[str, Passage], call: str) -> None:
        await passages.pop(call, through)()


def provider_at(
    psp: Psp, session: aiohttp.ClientSession, *, timeout_seconds: float = 10.0, knows_secret: bool = True
) -> SandboxProvider:
    secret = psp.webhook_secret if knows_secret else None
    return SandboxProvider(session, psp.url, timeout_seconds=timeout_seconds, webhook_secret=secret)


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
                service = PaymentsService(PaymentsStore(database), provider_at(psp, session))
                yield Till(database, psp, session, service)
        finally:
            await database.dispose()
