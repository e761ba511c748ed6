"""One checkout, watched from both sides while it happens: Temporal's history, and the shop's stock."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console
from rich.text import Text
from temporalio.client import Client

from api.orders.views import CheckoutView, OrderView, PlaceCheckout
from cli.demo.findings import NotShown
from cli.demo.saga import POLL_SECONDS, SagaStep, steps_of
from cli.demo.shop import Reply, Shop
from contracts.checkout import StepState, workflow_id_of
from runtime.clock import utc_now

# From the answer to the end of the workflow, which may still have its books to close.
END_SECONDS = 15.0

# What the buyer does whom a checkout sends to a page: told how it stands, and which page.
Acts = Callable[[CheckoutView, str], Awaitable[None]]


@dataclass
class WatchedCheckout:
    """What was sent, what was seen meanwhile, what came back."""

    order: PlaceCheckout
    key: str
    sku: str
    began: datetime
    steps: list[SagaStep] = field(default_factory=list)
    stock: list[int] = field(default_factory=list)
    order_id: str = ""
    reply: Reply = field(default_factory=lambda: Reply(0, b"", None))
    answered_ms: int = 0
    checkout: CheckoutView | None = None

    def step(self, name: str) -> SagaStep | None:
        """The step of this name, if it has ended."""
        return next((step for step in self.steps if step.name == name), None)

    def after_ms(self, moment: datetime) -> int:
        return round((moment - self.began).total_seconds() * 1000)


class Checkouts:
    """Places a customer's checkouts and tells each step as it happens."""

    def __init__(self, shop: Shop, temporal: Client, console: Console) -> None:
        self._shop = shop
        self._temporal = temporal
        self._console = console
        self.placed: list[WatchedCheckout] = []

    async def place(
        self, order: PlaceCheckout, key: str, *, watching: str, acts: Acts | None = None
    ) -> WatchedCheckout:
        """Place it and see it to its end, watching one sku's stock; NotShown where no end comes in time."""
        before = {placed.id for placed in await self._shop.orders()}
        seen = WatchedCheckout(order, key, watching, utc_now())
        self.placed.append(seen)
        steps = asyncio.create_task(self._follow_steps(seen, before))
        stock = asyncio.create_task(self._follow_stock(seen))
        try:
            seen.reply = await self._shop.place(order, key)
            seen.answered_ms = seen.after_ms(utc_now())
            waiting = seen.reply.read(CheckoutView) if seen.reply.status == 202 else None
            if acts is not None and waiting is not None and waiting.next_action is not None:
                self._tell(seen, seen.answered_ms, "bold", f"answered {seen.reply}", "the buyer has to act")
                await acts(waiting, waiting.next_action.url)
                self._tell(seen, seen.after_ms(utc_now()), "bold", "the buyer has acted", "")
            elif seen.reply.status == 202 or seen.reply.location is None:
                where = await self._where_it_hangs(seen)
                raise NotShown(f"the checkout has an answer in time; found {seen.reply}{where}")
            await self._ended(steps)
        finally:
            for task in (steps, stock):
                task.cancel()
            await asyncio.gather(steps, stock, return_exceptions=True)
        seen.checkout = await self._shop.checkout(seen.order_id)
        await self._look_at_stock(seen)
        if seen.reply.status != 202:
            self._tell(seen, seen.answered_ms, "bold", f"answered {seen.reply}", "")
        return seen

    async def _ended(self, steps: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait_for(steps, END_SECONDS)
        except TimeoutError as error:
            raise NotShown(f"its workflow ends within {END_SECONDS:.0f} s of the answer") from error

    async def _follow_steps(self, seen: WatchedCheckout, before: set[str]) -> None:
        self._tell_heads()
        order = await self._new_order(before)
        seen.order_id = order.id
        self._tell(seen, seen.after_ms(order.created_at), "dim", "order placed", order.id)
        async for step in steps_of(self._temporal, workflow_id_of(order.id)):
            seen.steps.append(step)
            self._tell_step(seen, step)

    async def _new_order(self, before: set[str]) -> OrderView:
        """The order is known before its checkout has an answer."""
        while True:
            for order in await self._shop.orders():
                if order.id not in before:
                    return order
            await asyncio.sleep(POLL_SECONDS)

    async def _follow_stock(self, seen: WatchedCheckout) -> None:
        while True:
            await self._look_at_stock(seen)
            await asyncio.sleep(POLL_SECONDS)

    async def _look_at_stock(self, seen: WatchedCheckout) -> None:
        available = await self._shop.available(seen.sku)
        if seen.stock and seen.stock[-1] != available:
            change = f"{seen.stock[-1]} → {available} available"
            self._tell(seen, seen.after_ms(utc_now()), "cyan", f"stock of {seen.sku}", change)
        if not seen.stock or seen.stock[-1] != available:
            seen.stock.append(available)

    async def _where_it_hangs(self, seen: WatchedCheckout) -> str:
        if not seen.order_id:
            return ""
        seen.checkout = await self._shop.checkout(seen.order_id)
        hanging = [
            step for step in seen.checkout.steps if step.state in (StepState.RUNNING, StepState.FAILING)
        ]
        return "".join(f", {step.name} at attempt {step.attempts}: {step.detail}" for step in hanging)

    def _tell_heads(self) -> None:
        self._line("dim", "at", "took", " ", "step", "attempt", "where")

    def _tell_step(self, seen: WatchedCheckout, step: SagaStep) -> None:
        took = "" if step.began is None else f"{round((step.ended - step.began).total_seconds() * 1000)} ms"
        note = f"{step.where}, {step.refusal}" if step.refusal else step.where
        if step.failed_before:
            note += f" (attempt {step.attempts - 1}: {step.failed_before})"
        style, mark = ("red", "✗") if step.refusal else ("", "✓")
        self._line(style, f"+{seen.after_ms(step.ended)} ms", took, mark, step.name, str(step.attempts), note)

    def _tell(self, seen: WatchedCheckout, at_ms: int, style: str, what: str, note: str) -> None:
        self._line(style, f"+{at_ms} ms", "", "·", what, "", note)

    def _line(self, style: str, at: str, took: str, mark: str, what: str, attempt: str, note: str) -> None:
        shown = f"  {at:>9} {took:>9}  {mark} {what:<28} {attempt:<8} {note}".rstrip()
        self._console.print(Text(shown, style))
