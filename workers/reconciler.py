"""What makes starts and ends certain: no order waits for ever because somebody died."""

from datetime import timedelta

from contracts.checkout import CANCELLED
from contracts.orders import OrderState
from runtime.logs import get_logger
from runtime.settings import Settings
from services.orders.changes import OrderChanges
from services.orders.order import Order
from services.orders.refund import Refund
from services.orders.service import OrdersService
from workers.rounds import Round, again_and_again
from workflows.checkouts import Checkouts, Start
from workflows.order_changes import OrderChangeWorkflows

log = get_logger(__name__)


class Reconciler:
    """Starts every unfinished order that has no workflow, and undoes those whose workflow was ended by hand.

    Several may run at once: every start is by the order's own workflow id.
    """

    def __init__(self, orders: OrdersService, checkouts: Checkouts, settings: Settings) -> None:
        self._orders = orders
        self._checkouts = checkouts
        self._pause = settings.reconcile_seconds
        self._time_limit = timedelta(seconds=settings.checkout_time_limit_seconds)

    async def run(self) -> None:
        """Look again and again, for as long as the worker lives; an outage only delays it."""
        await again_and_again("reconciling", self.look, self._pause)

    async def look(self) -> int:
        """Go once through all unfinished orders that are old enough.

        Answers how many could be served; Unavailable if not all.
        """
        this_round = Round("reconciling")
        after = None
        while page := await self._orders.unfinished(older_than=timedelta(seconds=self._pause), after=after):
            for order in page:
                await this_round.serve(order.id, self._reconcile(order))
            after = (page[-1].created_at, page[-1].id)
        return this_round.end()

    async def _reconcile(self, order: Order) -> None:
        checkout = order.checkout(self._time_limit)
        if await self._checkouts.start(checkout) is Start.ENDED:
            if (await self._orders.order(order.id)).ended_at is None:
                log.warning("the workflow was ended by hand: undoing the checkout", order_id=order.id)
                await self._checkouts.undo(checkout)
        elif order.state is OrderState.CANCELLING and order.refusal == CANCELLED:
            await self._checkouts.cancel(order.id)


class ChangesReconciler:
    """Starts every cancellation and refund that was asked for and has no workflow.

    Several may run at once: every start is by the workflow's own id.
    """

    def __init__(self, changes: OrderChanges, workflows: OrderChangeWorkflows, settings: Settings) -> None:
        self._changes = changes
        self._workflows = workflows
        self._pause = settings.reconcile_seconds

    async def run(self) -> None:
        """Look again and again, for as long as the worker lives; an outage only delays it."""
        await again_and_again("reconciling", self.look, self._pause)

    async def look(self) -> int:
        """Go once through all that is old enough.

        Answers how much could be served; Unavailable if not all.
        """
        this_round = Round("reconciling")
        await self._cancellations(this_round)
        await self._refunds(this_round)
        return this_round.end()

    async def _cancellations(self, this_round: Round) -> None:
        after, age = None, timedelta(seconds=self._pause)
        while page := await self._changes.cancellations_to_make(older_than=age, after=after):
            for order in page:
                await this_round.serve(order.id, self._cancel(order))
            after = (page[-1].created_at, page[-1].id)

    async def _refunds(self, this_round: Round) -> None:
        after, age = None, timedelta(seconds=self._pause)
        while page := await self._changes.refunds_to_make(older_than=age, after=after):
            for refund in page:
                await this_round.serve(refund.order_id, self._refund(refund))
            after = (page[-1].created_at, page[-1].id)

    async def _cancel(self, order: Order) -> None:
        await self._workflows.cancel(order.cancellation())

    async def _refund(self, refund: Refund) -> None:
        await self._workflows.refund(refund.order(traceparent=None))
