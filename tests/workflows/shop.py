"""A shop of real services on real servers, with the workers of a checkout in the test's own event loop."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from activities.inventory import InventoryActivities
from activities.payments import PaymentsActivities
from contracts.checkout import Checkout, Outcome, workflow_id_of
from contracts.money import Money
from contracts.orders import ORDER_PLACED, OrderState
from contracts.topology import TaskQueue
from runtime.clock import utc_now
from runtime.settings import Settings
from runtime.temporal import connect, worker_for
from sandbox.psp.models import Kind
from services.carts.factory import open_carts
from services.carts.service import CartService
from services.inventory.factory import open_inventory
from services.inventory.service import InventoryService
from services.inventory.store import Stock
from services.orders.factory import open_store
from services.orders.order import Order, OrderLine, ShippingAddress
from services.orders.service import OrdersService
from services.orders.store import OrdersStore
from services.payments.factory import open_payments
from services.payments.service import PaymentsService
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.workflows.faults import Faults, Gate
from workers.orders import open_worker
from workers.reconciler import Reconciler
from workflows.checkouts import Checkouts

SKU, ON_HAND, PRICE = "KIT-MOKA-3", 5, 3490
WAIT = timedelta(seconds=30)
# A machine that stalls is no outage of Temporal's.
PATIENCE = timedelta(seconds=20)
ADDRESS = ShippingAddress(name="Ada", line1="1 Engine St", city="London", postal_code="N1", country="GB")


@dataclass
class Shop:
    """What a workflow test works with: services to look into, a client, faults to order."""

    settings: Settings
    client: Client
    faults: Faults
    orders: OrdersService
    orders_store: OrdersStore
    inventory: InventoryService
    payments: PaymentsService
    carts: CartService
    psp: Psp

    @property
    def checkouts(self) -> Checkouts:
        return Checkouts(self.client, PATIENCE)

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(self.orders, self.checkouts, self.settings)

    async def placed(self, token: str = "tok_ok", quantity: int = 2, time_limit: float = 60) -> Checkout:
        """A committed pending order, as the orders API leaves it before it starts the workflow."""
        order = _order(token, quantity)
        async with self.orders_store.begin() as tx:
            assert await tx.add(order, order.created_at)
            await tx.emit([order.event(ORDER_PLACED, order.created_at)])
        return order.checkout(timedelta(seconds=time_limit))

    async def bought(self, checkout: Checkout) -> Outcome:
        """Start the checkout, or attach to it, and wait for its end."""
        outcome = await self.checkouts.place(checkout, wait=WAIT)
        assert outcome is not None, "the checkout did not end in time"
        return outcome

    async def stopped_at(self, gate: Gate, **placed: Any) -> Checkout:
        """A checkout that runs and has come to the gate."""
        checkout = await self.placed(**placed)
        await self.checkouts.start(checkout)
        await gate.reached.wait()
        return checkout

    async def cancel(self, checkout: Checkout) -> None:
        """Cancel as the orders API does: in the order's row, then at the workflow."""
        await self.orders.cancel_checkout(checkout.order_id)
        await self.checkouts.cancel(checkout.order_id)

    async def reconciled(self, checkout: Checkout) -> None:
        """Let the reconciler look until it has brought the checkout to its end."""

        async def ended() -> bool:
            await self.reconciler.look()
            return (await self.order(checkout)).ended_at is not None

        await until(ended)

    def handle(self, checkout: Checkout) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(workflow_id_of(checkout.order_id))

    async def order(self, checkout: Checkout) -> Order:
        return await self.orders.order(checkout.order_id)

    async def stock(self) -> Stock:
        return await self.inventory.stock_of(SKU)

    async def assert_bought(self, checkout: Checkout) -> None:
        """Money held once, stock held once, the order confirmed and closed."""
        order = await self.order(checkout)
        assert order.state is OrderState.CONFIRMED
        assert order.ended_at is not None
        stock = await self.stock()
        assert (stock.on_hand, stock.reserved) == (ON_HAND, sum(line.quantity for line in checkout.lines))
        assert len(self.held_at_psp(checkout)) == 1
        payment, _ = await self.payments.payment_of(checkout.order_id)
        assert payment.state is PaymentState.AUTHORIZED

    async def assert_undone(self, checkout: Checkout, state: OrderState) -> None:
        """No money held, no stock held, the order ended in this state."""
        order = await self.order(checkout)
        assert order.state is state
        assert order.ended_at is not None
        stock = await self.stock()
        assert (stock.on_hand, stock.reserved) == (ON_HAND, 0)
        assert self.held_at_psp(checkout) == []

    def held_at_psp(self, checkout: Checkout) -> list[str]:
        """What the provider's own ledger holds for this order: authorised and not voided."""
        entries = self.psp.ledger(reference=checkout.order_id)
        voided = {entry.authorization_id for entry in entries if entry.kind is Kind.VOIDED}
        authorized = [entry.authorization_id for entry in entries if entry.kind is Kind.AUTHORIZED]
        return [str(each) for each in authorized if each not in voided]


@asynccontextmanager
async def open_shop(
    servers: Servers,
    fresh_database: FreshDatabase,
    psp: Psp,
    *,
    orders_worker: bool = True,
    payments_worker: bool = True,
    provider_seconds: float = 6.0,
) -> AsyncIterator[Shop]:
    """A shop with its own databases; what it leaves running in Temporal is terminated at the end."""
    settings = await _settings(servers, fresh_database, psp, provider_seconds)
    async with AsyncExitStack() as stack:
        faults = Faults()
        client = await connect(settings)
        orders_store = await stack.enter_async_context(open_store(settings))
        inventory = await stack.enter_async_context(open_inventory(settings))
        payments = await stack.enter_async_context(open_payments(settings))
        carts = await stack.enter_async_context(open_carts(settings))
        shop = Shop(
            settings=settings,
            client=client,
            faults=faults,
            orders=OrdersService(orders_store),
            orders_store=orders_store,
            inventory=inventory,
            payments=payments,
            carts=carts,
            psp=psp,
        )
        await inventory.set_on_hand(SKU, ON_HAND)
        stock_steps, payment_steps = InventoryActivities(inventory), PaymentsActivities(payments)
        queues: dict[TaskQueue, list[Callable[..., Any]]] = {
            TaskQueue.INVENTORY: [stock_steps.reserve, stock_steps.release],
        }
        if payments_worker:
            queues[TaskQueue.PAYMENTS] = [payment_steps.authorize, payment_steps.void]
        for queue, steps in queues.items():
            await stack.enter_async_context(
                worker_for(client, queue, activities=steps, interceptors=[faults])
            )
        stack.push_async_callback(_terminate_leftovers, client)
        if orders_worker:
            parts = await stack.enter_async_context(open_worker(settings, client, [faults], sandboxed=True))
            for worker in parts.workers:
                await stack.enter_async_context(worker)
        yield shop


async def _settings(
    servers: Servers, fresh_database: FreshDatabase, psp: Psp, provider_seconds: float
) -> Settings:
    names = ("orders", "inventory", "payments")
    given = {f"{name}_database_url": await fresh_database(name) for name in names} | {
        "carts_redis_url": servers.carts_redis_url,
        "identity_secret": "test",
        "service_secret": "test",
        "order_token_secret": "test",
        "psp_api_key": psp.api_key,
        "psp_url": psp.url,
        "temporal_address": servers.temporal_address,
        "provider_timeout_seconds": provider_seconds,
        "reconcile_seconds": 0.1,
        # Events have tests of their own.
        "events_enabled": False,
    }
    return Settings.model_validate(given)


async def _terminate_leftovers(client: Client) -> None:
    async for found in client.list_workflows("ExecutionStatus = 'Running'"):
        if found.status is WorkflowExecutionStatus.RUNNING:
            try:
                await client.get_workflow_handle(found.id).terminate("the test is over")
            except RPCError:
                continue  # it ended by itself meanwhile


def _order(token: str, quantity: int) -> Order:
    price = Money(amount=PRICE, currency="EUR")
    return Order(
        id=uuid4().hex,
        customer_id=None,
        cart_ref=uuid4().hex,
        generation=1,
        email="ada@example.com",
        shipping_address=ADDRESS,
        lines=(OrderLine(sku=SKU, title="Moka pot", quantity=quantity, unit_price=price),),
        total=price.times(quantity),
        payment_token=token,
        state=OrderState.PENDING,
        refusal=None,
        steps=(),
        operator_note=None,
        payment_state="pending",
        fulfilment_state="none",
        sequence=1,
        traceparent=None,
        created_at=utc_now(),
        ended_at=None,
    )
