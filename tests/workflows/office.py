"""An office that cancels and refunds orders: real services and servers, the workers in the test's event loop.

No parcel's workflow runs here: what the staff ships is written in the shipment's row, which is the arbiter.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.fulfilment import FulfilmentActivities
from activities.inventory import InventoryActivities
from activities.payments import PaymentsActivities
from contracts.checkout import CloseCheckout, ConfirmOrder
from contracts.fulfilment import SHIPMENT_HELD, HoldShipment, ShipmentState
from contracts.inventory import ReserveStock
from contracts.orders import ORDER_CONFIRMED, CancellationState, OrderState, cancellation_id_of
from contracts.payments import PAYMENT_CAPTURED, AuthorizePayment, CapturePayment
from contracts.topology import TaskQueue
from runtime.clock import utc_now
from runtime.database import Database
from runtime.reactions import Heard
from runtime.settings import Settings
from runtime.temporal import connect, worker_for
from sandbox.psp.models import Kind
from services.fulfilment.factory import open_fulfilment
from services.fulfilment.heard import OrderConfirmedFacts
from services.fulfilment.service import FulfilmentService
from services.inventory.factory import open_inventory
from services.inventory.service import InventoryService
from services.orders.changes import OrderChanges
from services.orders.factory import OrdersWork, open_store
from services.orders.heard import PaymentFacts, ShipmentFacts
from services.orders.order import Order
from services.orders.reactions import OrderReactions
from services.orders.refund import Refund, RefundRequest
from services.orders.service import OrdersService
from services.orders.store import OrdersStore
from services.payments.errors import CaptureFailed
from services.payments.factory import open_payments
from services.payments.service import PaymentsService
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase, Servers
from tests.orders_samples import euros, new_order
from tests.polling import until
from tests.psp_process import Psp
from tests.stores.outbox import events_about
from tests.workflows.faults import Faults
from workers.orders import open_worker
from workers.reconciler import ChangesReconciler
from workflows.order_changes import OrderChangeWorkflows

SKU, ON_HAND, QUANTITY = "MUG", 5, 2
# A machine that stalls is no reason to leave a start to the reconciler.
PATIENCE = timedelta(seconds=20)


@dataclass
class Office:
    """What a test of an order's changes works with: services to look into, a client, faults to order."""

    settings: Settings
    client: Client
    faults: Faults
    orders: OrdersWork
    store: OrdersStore
    inventory: InventoryService
    payments: PaymentsService
    fulfilment: FulfilmentService
    psp: Psp
    started: list[str] = field(default_factory=list)

    @property
    def workflows(self) -> OrderChangeWorkflows:
        return OrderChangeWorkflows(self.client, PATIENCE)

    @property
    def reconciler(self) -> ChangesReconciler:
        return ChangesReconciler(self.orders.changes, self.workflows, self.settings)

    async def bought(self, token: str = "tok_ok") -> str:
        """An order as its checkout leaves it: money and stock held, the order confirmed, no parcel yet."""
        order = new_order(created_at=utc_now(), payment_token=token)
        order_id = order.id
        async with self.store.begin() as tx:
            assert await tx.add(order, order.created_at)
        await self.inventory.reserve(ReserveStock(order_id=order_id, lines=order.stock_lines))
        await self.payments.authorize(
            AuthorizePayment(order_id=order_id, amount=order.total, token=order.payment_token)
        )
        await self.orders.service.confirm(ConfirmOrder(order_id=order_id))
        await self.orders.service.close(CloseCheckout(order_id=order_id, steps=()))
        return order_id

    async def packed(self, token: str = "tok_ok") -> str:
        """An order whose parcel waits for the staff."""
        order_id = await self.bought(token)
        order = await self.order(order_id)
        heard = Heard(
            handler="fulfilment.open_shipment",
            event_id=uuid4(),
            type=ORDER_CONFIRMED,
            subject=order_id,
            sequence=order.sequence,
            time=utc_now(),
            traceparent=None,
            facts=OrderConfirmedFacts(order_id=order_id, lines=order.stock_lines),
        )
        await self.fulfilment.open_shipment(heard)
        return order_id

    async def ship(self, order_id: str) -> None:
        """Have the staff ship the parcel; refused once it is stopped."""
        await self.fulfilment.request_shipping(order_id, "DHL", "0034")

    async def held(self, order_id: str) -> None:
        """Let the parcel be held while it is shipped: its money cannot be taken. The order hears of it."""
        with pytest.raises(CaptureFailed):
            await self.payments.capture(CapturePayment(order_id=order_id))
        await self.fulfilment.hold(HoldShipment(order_id=order_id, reason="payments.capture_failed"))
        heard = Heard(
            handler="orders.follow_shipment",
            event_id=uuid4(),
            type=SHIPMENT_HELD,
            subject=order_id,
            sequence=(await self.fulfilment.shipment(order_id)).sequence,
            time=utc_now(),
            traceparent=None,
            facts=ShipmentFacts(order_id=order_id, state=ShipmentState.HELD),
        )
        await self.orders.reactions.follow_shipment(heard)

    async def paid(self) -> str:
        """An order whose money was taken, and that has heard of it."""
        order_id = await self.bought()
        await self.payments.capture(CapturePayment(order_id=order_id))
        payment, _ = await self.payments.payment_of(order_id)
        heard = Heard(
            handler="orders.follow_payment",
            event_id=uuid4(),
            type=PAYMENT_CAPTURED,
            subject=order_id,
            sequence=payment.sequence,
            time=utc_now(),
            traceparent=None,
            facts=PaymentFacts(order_id=order_id, captured=payment.captured, refunded=payment.refunded),
        )
        await self.orders.reactions.follow_payment(heard)
        return order_id

    async def cancel(self, order_id: str) -> None:
        """Cancel as the orders API does: in the order's row, then by its workflow."""
        order = await self.orders.changes.request_cancellation(order_id)
        self.started.append(order.cancellation().workflow_id)
        await self.workflows.cancel(order.cancellation())

    async def cancelled(self, order_id: str, *, attempt: int = 1) -> CancellationState:
        """How the cancellation ends."""
        return CancellationState(await self.handle(order_id, attempt=attempt).result())

    def asked(self, order_id: str, amount: int) -> RefundRequest:
        return RefundRequest(order_id, "broken", "sam", euros(amount))

    async def refund(self, order_id: str, amount: int) -> Refund:
        """Refund as the orders API does."""
        refund = await self.orders.changes.request_refund(self.asked(order_id, amount))
        given = refund.order(traceparent=None)
        self.started.append(given.workflow_id)
        await self.workflows.refund(given)
        return refund

    async def refunded(self, refund: Refund) -> Refund:
        """The refund once its workflow has ended."""
        await self.client.get_workflow_handle(f"refund-{refund.id}").result()
        return await self.seen(refund)

    async def seen(self, refund: Refund) -> Refund:
        found = await self.orders.changes.refunds_of(refund.order_id)
        return next(each for each in found if each.id == refund.id)

    async def reconciled(self, order_id: str) -> None:
        """Let the reconciler look until the order's cancellation is decided."""

        async def decided() -> bool:
            await self.reconciler.look()
            return (await self.order(order_id)).cancellation_state is not CancellationState.REQUESTED

        await until(decided)

    def handle(self, order_id: str, *, attempt: int = 1) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(cancellation_id_of(order_id, attempt))

    async def order(self, order_id: str) -> Order:
        return await self.orders.service.order(order_id)

    async def told(self, order_id: str) -> list[str]:
        """What the outbox says of the order."""
        database = Database(self.settings.database_url("orders"))
        try:
            return [event.type for event in await events_about(database, order_id)]
        finally:
            await database.dispose()

    async def payment_state(self, order_id: str) -> PaymentState:
        payment, _ = await self.payments.payment_of(order_id)
        return payment.state

    def at_psp(self, order_id: str, kind: Kind) -> list[int | None]:
        """The amounts of what the provider's own ledger says was done for the order."""
        return [entry.amount for entry in self.psp.ledger(kind=kind, reference=order_id)]

    async def assert_cancelled(self, order_id: str) -> None:
        """The parcel stopped, the money let go of once, the stock back, the order cancelled and told once."""
        order = await self.order(order_id)
        assert (order.state, order.cancellation_state) == (OrderState.CANCELLED, CancellationState.DONE)
        assert (await self.fulfilment.shipment(order_id)).state is ShipmentState.STOPPED
        assert await self.payment_state(order_id) is PaymentState.VOIDED
        assert len(self.at_psp(order_id, Kind.VOIDED)) == 1
        stock = await self.inventory.stock_of(SKU)
        assert (stock.on_hand, stock.reserved) == (ON_HAND, 0)

    async def assert_goes_on(self, order_id: str) -> None:
        """The order confirmed and its money still held; the buyer is told why it was not cancelled."""
        order = await self.order(order_id)
        assert (order.state, order.cancellation_state) == (OrderState.CONFIRMED, CancellationState.REFUSED)
        assert order.cancellation_reason == "fulfilment.already_shipping"
        assert await self.payment_state(order_id) is PaymentState.AUTHORIZED
        assert self.at_psp(order_id, Kind.VOIDED) == []


@asynccontextmanager
async def open_office(
    servers: Servers, fresh_database: FreshDatabase, psp: Psp, *, orders_worker: bool = True
) -> AsyncIterator[Office]:
    """An office with its own databases; what it leaves running in Temporal is terminated at the end."""
    settings = await _settings(servers, fresh_database, psp)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        office = Office(
            settings=settings,
            client=await connect(settings),
            faults=Faults(),
            orders=OrdersWork(OrdersService(store), OrderChanges(store), OrderReactions(store)),
            store=store,
            inventory=await stack.enter_async_context(open_inventory(settings)),
            payments=await stack.enter_async_context(open_payments(settings)),
            fulfilment=await stack.enter_async_context(open_fulfilment(settings)),
            psp=psp,
        )
        await office.inventory.set_on_hand(SKU, ON_HAND)
        money = PaymentsActivities(office.payments)
        queues: dict[TaskQueue, list[Callable[..., Any]]] = {
            TaskQueue.FULFILMENT: [FulfilmentActivities(office.fulfilment).stop],
            TaskQueue.INVENTORY: [InventoryActivities(office.inventory).release],
            TaskQueue.PAYMENTS: [money.give_back, money.refund],
        }
        for queue, steps in queues.items():
            await stack.enter_async_context(
                worker_for(office.client, queue, activities=steps, interceptors=[office.faults])
            )
        stack.push_async_callback(_terminate, office)
        if orders_worker:
            await stack.enter_async_context(office_worker(office))
        yield office


@asynccontextmanager
async def office_worker(office: Office) -> AsyncIterator[None]:
    """The orders worker without its loops: the tests reconcile themselves."""
    async with (
        open_worker(office.settings, office.client, [office.faults], sandboxed=True) as parts,
        AsyncExitStack() as stack,
    ):
        for worker in parts.workers:
            await stack.enter_async_context(worker)
        yield


async def _settings(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> Settings:
    names = ("orders", "inventory", "payments", "fulfilment")
    given = {f"{name}_database_url": await fresh_database(name) for name in names} | {
        "bus_redis_url": servers.bus_redis_url,
        "identity_secret": "test",
        "service_secret": "test",
        "order_token_secret": "test",
        "psp_api_key": psp.api_key,
        "psp_webhook_secret": psp.webhook_secret,
        "psp_url": psp.url,
        "temporal_address": servers.temporal_address,
        "reconcile_seconds": 0.1,
        # Events have tests of their own.
        "events_enabled": False,
    }
    return Settings.model_validate(given)


async def _terminate(office: Office) -> None:
    for workflow_id in office.started:
        try:
            await office.client.get_workflow_handle(workflow_id).terminate("the test is over")
        except RPCError:
            continue  # it ended by itself
