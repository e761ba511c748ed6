"""The checkout desk: where HTTP meets the order's row and the workflow."""

import time
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response
from temporalio.service import RPCError

from api.orders import answers
from contracts.checkout import Step, StepName, StepState, workflow_id_of
from contracts.identity import Identity
from contracts.orders import OrderState
from runtime.logs import get_logger
from runtime.settings import Settings
from services.orders.errors import OrderNotFound
from services.orders.factory import OrdersParts
from services.orders.intake import Intake
from services.orders.order import Buyer, Order, PlaceOrder
from services.orders.service import OrdersService
from services.orders.tokens import OrderTokens
from workflows.checkouts import Checkouts
from workflows.progress import BUYER_HAS_TO_ACT

log = get_logger(__name__)


# What the order's row alone tells of a checkout that waits for its buyer.
WAITS_FOR_BUYER = (
    Step(name=StepName.RESERVE_STOCK, state=StepState.COMPLETED),
    Step(name=StepName.AUTHORIZE_PAYMENT, state=StepState.RUNNING, detail=BUYER_HAS_TO_ACT),
    Step(name=StepName.CONFIRM_ORDER),
)
# However late a request is, its checkout is handed to Temporal before the answer.
SHORTEST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class Visitor:
    """Who asks for an order: a signed-in caller, a guest with the order's token, or neither."""

    identity: Identity | None
    order_token: str | None


class CheckoutDesk:
    """Places, shows and cancels checkouts for those who may."""

    def __init__(self, parts: OrdersParts, checkouts: Checkouts, settings: Settings) -> None:
        self.orders: OrdersService = parts.service
        self._intake: Intake = parts.intake
        self._checkouts = checkouts
        self._tokens = OrderTokens(settings.secret("order_token_secret"))
        self._wait = timedelta(seconds=settings.checkout_wait_seconds)
        self._time_limit = timedelta(seconds=settings.checkout_time_limit_seconds)
        self._ui = f"{settings.temporal_ui_url.rstrip('/')}/namespaces/{settings.temporal_namespace}"
        self._shows_ui_to_all = settings.is_development

    async def place(self, buyer: Buyer, key: str, request: PlaceOrder) -> Response:
        """Take the order in, see it through as long as a client should wait, answer. Safe to repeat."""
        arrived = time.monotonic()
        taken = await self._intake.place(buyer, key, request)
        record = taken.record
        if record.answer is None:
            order = taken.fresh or await self.orders.order(record.order_id)
            if not answers.is_final(order):
                # In a rush the intake takes its time too: the client has waited that long already.
                wait = self._wait - timedelta(seconds=time.monotonic() - arrived)
                await self._checkouts.place(order.checkout(self._time_limit), wait=max(wait, SHORTEST_WAIT))
            order, record = await self.orders.answer(record, answers.final_answer)
            if order.state is OrderState.CONFIRMED:
                await self._intake.settle_cart(order)
        token = None if buyer.identity else self._tokens.token_for(record.order_id)
        if record.answer is None:
            return answers.still_running(order, await self.steps_of(order), token)
        return answers.respond(*record.answer, record.order_id, token)

    async def cancel(self, order_id: str, visitor: Visitor) -> Order:
        """Call the checkout off in its order's row, then wake the workflow. Safe to repeat."""
        await self.order_for(order_id, visitor)
        order = await self.orders.cancel_checkout(order_id)
        await self.interrupt(order_id)
        return order

    async def interrupt(self, order_id: str) -> None:
        """Wake the workflow of a checkout that was called off. Safe to repeat.

        The row has decided: a workflow that could not be told now is told by the reconciler.
        """
        if not await self._checkouts.cancel(order_id):
            log.warning("the reconciler will tell the workflow of the cancellation", order_id=order_id)

    async def order_for(self, order_id: str, visitor: Visitor) -> Order:
        """The order, if it is this visitor's or the visitor is staff; else it does not exist."""
        order = await self.orders.order(order_id)
        if not self._may_see(order, visitor):
            raise OrderNotFound("there is no such order")
        return order

    async def steps_of(self, order: Order) -> tuple[Step, ...]:
        """A checkout's steps: stored ones once it has ended, Temporal's own books while it runs."""
        if order.ended_at is not None:
            return order.steps
        try:
            return await self._checkouts.running_steps(order.id)
        except (RPCError, RuntimeError, TimeoutError):
            return WAITS_FOR_BUYER if order.action_url is not None else order.steps

    def temporal_url(self, order: Order, visitor: Visitor) -> str | None:
        """Where to look into the workflow, for those who may."""
        is_staff = visitor.identity is not None and visitor.identity.is_staff
        if not (self._shows_ui_to_all or is_staff):
            return None
        return f"{self._ui}/workflows/{workflow_id_of(order.id)}"

    def _may_see(self, order: Order, visitor: Visitor) -> bool:
        if visitor.order_token is not None and self._tokens.proves(visitor.order_token, order.id):
            return True
        identity = visitor.identity
        return identity is not None and (identity.is_staff or identity.subject == order.customer_id)
