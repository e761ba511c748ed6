"""The orders worker: what it hears, its workflows with their local steps, the reconcilers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from temporalio.client import Client
from temporalio.worker import Interceptor

from activities.orders import OrderChangesActivities, OrdersActivities
from contracts.fulfilment import (
    SHIPMENT_DELIVERED,
    SHIPMENT_HELD,
    SHIPMENT_OPENED,
    SHIPMENT_SHIPPED,
    SHIPMENT_STOPPED,
    SHIPPING_REQUESTED,
)
from contracts.orders import OrderState
from contracts.payments import (
    PAYMENT_ACTION_REQUIRED,
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURE_FAILED,
    PAYMENT_CAPTURED,
    PAYMENT_REFUNDED,
    PAYMENT_VOIDED,
    PROVIDER_REPORTED,
)
from contracts.topology import TaskQueue
from runtime.reactions import Heard, Reaction
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.orders.errors import OrderNotFound
from services.orders.factory import open_orders_work
from services.orders.heard import PaymentFacts, ReportFacts, ShipmentFacts
from services.orders.reactions import OrderReactions
from services.orders.service import OrdersService
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker
from workers.reconciler import ChangesReconciler, Reconciler
from workflows.cancel_order import CancelOrderWorkflow
from workflows.checkout import CheckoutWorkflow
from workflows.checkouts import Checkouts
from workflows.order_changes import OrderChangeWorkflows
from workflows.refund_order import RefundOrderWorkflow


class OrdersListener:
    """What orders does on hearing of something: in its store, or at the checkout that waits for it."""

    def __init__(self, orders: OrdersService, reactions: OrderReactions, checkouts: Checkouts) -> None:
        self._orders = orders
        self._reactions = reactions
        self._checkouts = checkouts

    async def follow_shipment(self, heard: Heard[ShipmentFacts]) -> None:
        await self._reactions.follow_shipment(heard)

    async def follow_payment(self, heard: Heard[PaymentFacts]) -> None:
        await self._reactions.follow_payment(heard)

    async def tell_checkout(self, heard: Heard[ReportFacts]) -> None:
        """Have the checkout ask payments again, if there is one and it is under way; safe to repeat."""
        try:
            order = await self._orders.order(heard.facts.order_id)
        except OrderNotFound:
            return
        if order.state is OrderState.PENDING:
            await self._checkouts.payment_reported(order.id)


_FOLLOW_SHIPMENT, _FOLLOW_PAYMENT = "orders.follow_shipment", "orders.follow_payment"

HEARS: tuple[Reaction[OrdersListener, Any], ...] = (
    Reaction(_FOLLOW_SHIPMENT, SHIPMENT_OPENED, ShipmentFacts, OrdersListener.follow_shipment),
    Reaction(_FOLLOW_SHIPMENT, SHIPPING_REQUESTED, ShipmentFacts, OrdersListener.follow_shipment),
    Reaction(_FOLLOW_SHIPMENT, SHIPMENT_HELD, ShipmentFacts, OrdersListener.follow_shipment),
    Reaction(_FOLLOW_SHIPMENT, SHIPMENT_SHIPPED, ShipmentFacts, OrdersListener.follow_shipment),
    Reaction(_FOLLOW_SHIPMENT, SHIPMENT_DELIVERED, ShipmentFacts, OrdersListener.follow_shipment),
    Reaction(_FOLLOW_SHIPMENT, SHIPMENT_STOPPED, ShipmentFacts, OrdersListener.follow_shipment),
    Reaction(_FOLLOW_PAYMENT, PAYMENT_ACTION_REQUIRED, PaymentFacts, OrdersListener.follow_payment),
    Reaction(_FOLLOW_PAYMENT, PAYMENT_AUTHORIZED, PaymentFacts, OrdersListener.follow_payment),
    Reaction(_FOLLOW_PAYMENT, PAYMENT_VOIDED, PaymentFacts, OrdersListener.follow_payment),
    Reaction(_FOLLOW_PAYMENT, PAYMENT_CAPTURED, PaymentFacts, OrdersListener.follow_payment),
    Reaction(_FOLLOW_PAYMENT, PAYMENT_CAPTURE_FAILED, PaymentFacts, OrdersListener.follow_payment),
    Reaction(_FOLLOW_PAYMENT, PAYMENT_REFUNDED, PaymentFacts, OrdersListener.follow_payment),
    Reaction("orders.tell_checkout", PROVIDER_REPORTED, ReportFacts, OrdersListener.tell_checkout),
)


@asynccontextmanager
async def open_worker(
    settings: Settings,
    client: Client,
    interceptors: Sequence[Interceptor] = (),
    *,
    sandboxed: bool = False,
) -> AsyncIterator[WorkerParts]:
    async with open_orders_work(settings) as orders, AsyncExitStack() as stack:
        listener = OrdersListener(orders.service, orders.reactions, Checkouts(client))
        events = await stack.enter_async_context(
            open_postgres_events("orders", settings, client, target=listener, reactions=HEARS)
        )
        steps, changes = OrdersActivities(orders.service), OrderChangesActivities(orders.changes)
        worker = worker_for(
            client,
            TaskQueue.ORDERS,
            activities=[
                steps.confirm,
                steps.await_action,
                steps.begin_undo,
                steps.end_undone,
                steps.close,
                steps.call_operator,
                changes.refuse_cancellation,
                changes.finish_cancellation,
                changes.settle_refund,
                changes.call_operator_for_refund,
            ],
            workflows=[CheckoutWorkflow, CancelOrderWorkflow, RefundOrderWorkflow],
            interceptors=interceptors,
            sandboxed=sandboxed,
        )
        checkouts = Reconciler(orders.service, Checkouts(client), settings)
        later = ChangesReconciler(orders.changes, OrderChangeWorkflows(client), settings)
        yield WorkerParts((worker, *events.workers), (checkouts.run, later.run, *events.loops))


def main() -> None:
    run_worker("orders", open_worker)


if __name__ == "__main__":
    main()
