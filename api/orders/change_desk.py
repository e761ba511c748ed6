"""The desk for what happens to an order after its checkout: the row first, then the workflow."""

from api.orders.desk import CheckoutDesk, Visitor
from contracts.checkout import Resolution
from contracts.errors import Unavailable
from contracts.orders import CancellationState, OrderState
from runtime.logs import get_logger
from runtime.trace import current_traceparent
from services.orders.changes import OrderChanges
from services.orders.errors import NeedsNoOperator
from services.orders.order import Order
from services.orders.refund import Refund, RefundRequest
from workflows.order_changes import OrderChangeWorkflows

log = get_logger(__name__)


class ChangeDesk:
    """Cancels and refunds orders, and wakes what waits for an operator.

    The row decides: a workflow that could not be reached now is started by the reconciler.
    """

    def __init__(self, desk: CheckoutDesk, changes: OrderChanges, workflows: OrderChangeWorkflows) -> None:
        self._desk = desk
        self._changes = changes
        self._workflows = workflows

    async def cancel(self, order_id: str, visitor: Visitor) -> Order:
        """Call the order off, or have its parcel stopped; refused once it is too late. Safe to repeat."""
        await self._desk.order_for(order_id, visitor)
        order = await self._changes.request_cancellation(order_id)
        if order.state is OrderState.CANCELLING:
            await self._desk.interrupt(order_id)
        elif order.cancellation_state is CancellationState.REQUESTED:
            try:
                await self._workflows.cancel(order.cancellation())
            except Unavailable as error:
                log.warning("the reconciler will start the cancellation", reason=repr(error.__cause__))
        return order

    async def refund(self, request: RefundRequest) -> Refund:
        """Give money back, once per key; refused beyond what was captured. Safe to repeat with a key."""
        refund = await self._changes.request_refund(request)
        if not refund.has_ended:
            try:
                await self._workflows.refund(refund.order(current_traceparent()))
            except Unavailable as error:
                log.warning("the reconciler will start the refund", reason=repr(error.__cause__))
        return refund

    async def resume(self, order_id: str) -> Order:
        """Have what keeps failing tried again now; refused where nothing does. Safe to repeat."""
        in_need = await self._changes.workflows_in_need(order_id)
        if not any([await self._workflows.resume(workflow_id) for workflow_id in in_need]):
            raise NeedsNoOperator("what needed an operator has ended meanwhile")
        return await self._desk.orders.order(order_id)

    async def resolve(self, order_id: str, resolution: Resolution) -> Order:
        """Take what keeps failing for settled by hand; refused where nothing does. Safe to repeat."""
        in_need = await self._changes.workflows_in_need(order_id)
        if not any([await self._workflows.resolve(workflow_id, resolution) for workflow_id in in_need]):
            raise NeedsNoOperator("what needed an operator has ended meanwhile")
        log.warning("an operator settled by hand what kept failing", order_id=order_id, by=resolution.by)
        return await self._desk.orders.order(order_id)

    async def refunds_of(self, *orders: Order) -> list[Refund]:
        """The refunds of these orders, oldest first; only what was captured can have any."""
        captured = [order.id for order in orders if order.captured > 0]
        return await self._changes.refunds_of(*captured) if captured else []
