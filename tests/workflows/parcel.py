"""A house that sends parcels: real services on real servers, the workers in the test's own event loop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.inventory import InventoryActivities
from activities.payments import PaymentsActivities
from api.fulfilment.desk import ShippingDesk
from contracts.fulfilment import ShipmentState, StopShipment
from contracts.inventory import ReserveStock, StockLine
from contracts.money import Money
from contracts.payments import AuthorizePayment
from contracts.topology import TaskQueue
from runtime.settings import Settings
from runtime.temporal import connect, worker_for
from sandbox.psp.models import Kind
from services.fulfilment.factory import open_fulfilment
from services.fulfilment.service import FulfilmentService
from services.fulfilment.shipment import Shipment
from services.inventory.factory import open_inventory
from services.inventory.service import InventoryService
from services.payments.factory import open_payments
from services.payments.service import PaymentsService
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.stores.fulfilment_depot import LINES, confirmed, new_order_id
from tests.workflows.faults import Faults
from workers.fulfilment import ShipmentOpener, open_worker
from workers.fulfilment_reconciler import FulfilmentReconciler
from workflows.fulfilments import Fulfilments
from workflows.saga import NEEDS_OPERATOR

ON_HAND, PRICE = 10, Money(amount=3490, currency="EUR")
# A machine that is busy with tests is no reason to leave a wake to the reconciler.
PATIENCE = timedelta(seconds=20)


@dataclass
class Parcels:
    """What a parcel's test works with: services to look into, a client, faults to order."""

    settings: Settings
    client: Client
    faults: Faults
    fulfilment: FulfilmentService
    inventory: InventoryService
    payments: PaymentsService
    psp: Psp
    packed_orders: list[str] = field(default_factory=list)

    @property
    def opener(self) -> ShipmentOpener:
        return ShipmentOpener(self.fulfilment, Fulfilments(self.client, PATIENCE), self.settings)

    @property
    def desk(self) -> ShippingDesk:
        return ShippingDesk(self.fulfilment, Fulfilments(self.client, PATIENCE), self.settings)

    def reconciler(self, patrol: timedelta = timedelta(hours=1)) -> FulfilmentReconciler:
        fulfilments = Fulfilments(self.client, PATIENCE)
        return FulfilmentReconciler(self.fulfilment, fulfilments, self.settings, patrol=patrol)

    async def bought(self, token: str = "tok_ok") -> str:
        """An order as a checkout leaves it: stock and money held, nothing heard of it yet."""
        order_id = new_order_id()
        self.packed_orders.append(order_id)
        await self.inventory.reserve(ReserveStock(order_id=order_id, lines=LINES))
        await self.payments.authorize(AuthorizePayment(order_id=order_id, amount=PRICE, token=token))
        return order_id

    async def packed(self, token: str = "tok_ok") -> str:
        """An order whose parcel waits for a person, and whose workflow runs."""
        order_id = await self.bought(token)
        await self.opener.order_confirmed(confirmed(order_id))
        return order_id

    async def ship(self, order_id: str) -> None:
        await self.desk.ship(order_id, "DHL", "0034")

    async def stop(self, order_id: str) -> None:
        await self.fulfilment.stop(StopShipment(order_id=order_id))

    async def shipment(self, order_id: str) -> Shipment:
        return await self.fulfilment.shipment(order_id)

    async def becomes(self, order_id: str, state: ShipmentState) -> None:
        """Wait until the parcel is in this state, and its workflow knows."""

        async def there() -> bool:
            shipment = await self.shipment(order_id)
            return shipment.state is state and not shipment.has_news

        await until(there)

    def handle(self, order_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"fulfilment-{order_id}")

    async def ended(self, order_id: str) -> ShipmentState:
        """How the parcel's workflow ended."""
        return ShipmentState(await self.handle(order_id).result())

    async def needs_operator(self, order_id: str) -> bool:
        described = await self.handle(order_id).describe()
        return bool(described.typed_search_attributes.get(NEEDS_OPERATOR))

    async def details(self, order_id: str) -> str:
        """What the Temporal UI shows of the parcel."""
        metadata: WorkflowMetadata = await self.handle(order_id).query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata
        )
        return metadata.current_details

    def captures(self, order_id: str) -> int:
        """How often the provider's own ledger says that it took the order's money."""
        return len(self.psp.ledger(kind=Kind.CAPTURED, reference=order_id))

    async def stock(self, line: StockLine) -> tuple[int, int]:
        stock = await self.inventory.stock_of(line.sku)
        return stock.on_hand, stock.reserved

    async def assert_sent(self, order_id: str) -> None:
        """Money taken once, stock taken once."""
        assert self.captures(order_id) == 1
        for line in LINES:
            assert await self.stock(line) == (ON_HAND - line.quantity, 0)

    async def assert_kept(self, order_id: str) -> None:
        """No money taken, the stock still held."""
        assert self.captures(order_id) == 0
        for line in LINES:
            assert await self.stock(line) == (ON_HAND, line.quantity)


@asynccontextmanager
async def open_parcels(
    servers: Servers,
    fresh_database: FreshDatabase,
    psp: Psp,
    *,
    fulfilment_worker: bool = True,
    reminder_seconds: float = 3_600,
) -> AsyncIterator[Parcels]:
    """A house with its own databases; what it leaves running in Temporal is terminated at the end."""
    settings = await _settings(servers, fresh_database, psp, reminder_seconds)
    async with AsyncExitStack() as stack:
        parcels = Parcels(
            settings=settings,
            client=await connect(settings),
            faults=Faults(),
            fulfilment=await stack.enter_async_context(open_fulfilment(settings)),
            inventory=await stack.enter_async_context(open_inventory(settings)),
            payments=await stack.enter_async_context(open_payments(settings)),
            psp=psp,
        )
        for line in LINES:
            await parcels.inventory.set_on_hand(line.sku, ON_HAND)
        stock_steps, payment_steps = (
            InventoryActivities(parcels.inventory),
            PaymentsActivities(parcels.payments),
        )
        for queue, step in (
            (TaskQueue.INVENTORY, stock_steps.take),
            (TaskQueue.PAYMENTS, payment_steps.capture),
        ):
            worker = worker_for(parcels.client, queue, activities=[step], interceptors=[parcels.faults])
            await stack.enter_async_context(worker)
        stack.push_async_callback(_terminate, parcels)
        if fulfilment_worker:
            await stack.enter_async_context(parcels_worker(parcels))
        yield parcels


@asynccontextmanager
async def parcels_worker(parcels: Parcels) -> AsyncIterator[None]:
    """The worker of the parcels' workflow, without its loops: the tests reconcile themselves."""
    async with (
        open_worker(parcels.settings, parcels.client, [parcels.faults], sandboxed=True) as parts,
        AsyncExitStack() as stack,
    ):
        for worker in parts.workers:
            await stack.enter_async_context(worker)
        yield


async def _settings(
    servers: Servers, fresh_database: FreshDatabase, psp: Psp, reminder_seconds: float
) -> Settings:
    names = ("fulfilment", "inventory", "payments")
    given = {f"{name}_database_url": await fresh_database(name) for name in names} | {
        "bus_redis_url": servers.bus_redis_url,
        "identity_secret": "test",
        "service_secret": "test",
        "psp_api_key": psp.api_key,
        "psp_webhook_secret": psp.webhook_secret,
        "psp_url": psp.url,
        "temporal_address": servers.temporal_address,
        "reconcile_seconds": 0.1,
        # Events have tests of their own.
        "events_enabled": False,
        "shipment_reminder_seconds": reminder_seconds,
    }
    return Settings.model_validate(given)


async def _terminate(parcels: Parcels) -> None:
    for order_id in parcels.packed_orders:
        try:
            await parcels.handle(order_id).terminate("the test is over")
        except RPCError:
            continue  # it has ended, or never began
