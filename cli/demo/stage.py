"""What all acts have: who plays, where they look, and how a fact is told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from rich.console import Console
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api.carts.views import CartView
from api.orders.views import AddressBody, CheckoutView, PaymentMethodBody, PlaceCheckout
from cli.demo.checkouts import Acts, Checkouts, WatchedCheckout
from cli.demo.eventlog import EventLog
from cli.demo.findings import Findings, NotShown
from cli.demo.provider import Provider
from cli.demo.shop import Credentials, Reply, Shop
from cli.demo.staff import AdminDesk, StaffDesk
from contracts.checkout import FORWARD_STEPS, CheckoutState, StepState
from contracts.money import Money
from runtime.bus import Bus
from runtime.clock import utc_now
from runtime.settings import Settings

MINE = "mine"
# What follows from an event, or from a workflow that runs, is there within this.
FOLLOW_SECONDS = 15.0
POLL_SECONDS = 0.02

Found = TypeVar("Found")


@dataclass
class Stage:
    """One customer, the shop's staff, and everybody who can tell what became of an order."""

    shop: Shop
    staff: StaffDesk
    admin: AdminDesk
    provider: Provider
    temporal: Client
    bus: Bus
    events: EventLog
    checkouts: Checkouts
    findings: Findings
    console: Console
    settings: Settings
    data: Path
    who: Credentials = field(default_factory=lambda: Credentials.new("ada"))
    began: datetime = field(default_factory=utc_now)
    wanted: dict[str, int] = field(default_factory=dict)
    workflows: list[tuple[str, str]] = field(default_factory=list)

    @property
    def watched(self) -> str:
        """The sku whose stock is looked at while a checkout runs."""
        return next(iter(self.wanted))

    def title(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/]")

    async def fill(self, cart_id: str) -> CartView:
        for sku, quantity in self.wanted.items():
            cart = await self.shop.put(cart_id, sku, quantity)
        return cart

    async def my_cart(self) -> CartView:
        return (await self.shop.cart(MINE)).read(CartView)

    async def available(self) -> dict[str, int]:
        return {sku: await self.shop.available(sku) for sku in self.wanted}

    async def place(self, card: str, *, acts: Acts | None = None) -> WatchedCheckout:
        """Buy the customer's cart with a card; `acts` is what the buyer does where the bank asks for it."""
        address = AddressBody(
            name="Ada Lovelace",
            line1="12 St James's Square",
            city="London",
            postal_code="SW1Y 4JH",
            country="GB",
        )
        order = PlaceCheckout(
            cart_id=MINE,
            email=self.who.email,
            shipping_address=address,
            payment_method=PaymentMethodBody(token=card),
        )
        return await self.checkouts.place(order, f"demo-{token_hex(8)}", watching=self.watched, acts=acts)

    async def awaited(self, look: Callable[[], Awaitable[Found]], expected: Found) -> Found:
        """What is found once it is as expected, or else at the end of its time."""
        deadline = time.monotonic() + FOLLOW_SECONDS
        while (found := await look()) != expected and time.monotonic() < deadline:  # noqa: ASYNC110 - polls
            await asyncio.sleep(POLL_SECONDS)
        return found

    async def becomes(self, fact: str, look: Callable[[], Awaitable[Found]], expected: Found) -> None:
        """Look until it is as expected, or has had its time; tell the fact either way."""
        found = await self.awaited(look, expected)
        self.findings.check(found == expected, fact, found)

    def refused(self, what: str, reply: Reply, expected: str) -> None:
        """It was answered with this status and code."""
        self.findings.check(str(reply) == expected, f"{what}: {expected}", reply)

    async def becomes_refused(self, what: str, ask: Callable[[], Awaitable[Reply]], expected: str) -> None:
        """It comes to be answered like this; tell how long that took."""
        began = time.monotonic()

        async def answer() -> str:
            return str(await ask())

        found = await self.awaited(answer, expected)
        took = round((time.monotonic() - began) * 1_000)
        self.findings.check(found == expected, f"{what}: {expected} after {took} ms", found)

    async def order_becomes(self, order_id: str, *, order: str, payment: str, parcel: str) -> None:
        """The order, as its buyer sees it, comes to stand like this."""

        async def standing() -> str:
            seen = await self.shop.order(order_id)
            return f"{seen.state}, payment {seen.payment.state}, parcel {seen.fulfilment.state}"

        expected = f"{order}, payment {payment}, parcel {parcel}"
        await self.becomes(f"the order: {expected}", standing, expected)

    async def status_of(self, workflow_id: str) -> str:
        """How a workflow stands in Temporal."""
        try:
            status = (await self.temporal.get_workflow_handle(workflow_id).describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return "not there"
        return status.name.lower() if status is not None else "unknown"

    def check_confirmed(self, seen: WatchedCheckout) -> None:
        """It was answered at once, with everything done."""
        fact = f"201 confirmed after {seen.answered_ms} ms"
        if seen.reply.status != 201:
            raise NotShown(f"{fact}; found {seen.reply}")
        answer = seen.reply.read(CheckoutView)
        self.findings.need(answer.state is CheckoutState.CONFIRMED, fact, answer.state.value)
        self.check_steps(seen)

    def check_steps(self, seen: WatchedCheckout) -> None:
        steps = seen.checkout.steps if seen.checkout is not None else ()
        self.findings.check(
            tuple(step.name for step in steps if step.state is StepState.COMPLETED) == FORWARD_STEPS,
            f"all {len(FORWARD_STEPS)} steps completed, in their order",
            [f"{step.name} {step.state}" for step in steps],
        )

    async def check_charged_once(self, seen: WatchedCheckout, total: Money) -> None:
        held = await self.provider.held_for(seen.order_id)
        self.findings.check(
            [one.total for one in held] == [total],
            f"the provider's own books: exactly one authorization, {total}",
            [str(one) for one in held],
        )
