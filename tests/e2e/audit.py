"""After everything: do the orders, the payment provider's own ledger and the stock agree?"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from contracts.fulfilment import ShipmentState
from contracts.orders import OrderState
from sandbox.psp.models import Entry, Kind
from services.fulfilment.factory import open_fulfilment
from services.fulfilment.service import FulfilmentService
from services.fulfilment.shipment import Shipment
from services.inventory.factory import open_inventory
from services.orders.factory import open_orders
from services.orders.order import Order
from services.orders.service import OrdersService
from tests.e2e.shop import Shop
from tests.polling import until

END_SECONDS = 60.0
PAGE = 200
_BOUGHT = (OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED)


async def audit(shop: Shop) -> None:
    """Fail with everything that does not come to add up, over all orders that the platform has."""
    faults = ["nothing could be read in time"]

    async def all_adds_up() -> bool:
        faults[:] = await _faults(shop)
        return not faults

    try:
        await until(all_adds_up, within=END_SECONDS)
    except TimeoutError:
        raise AssertionError("\n".join(faults)) from None


async def _faults(shop: Shop) -> list[str]:
    async with open_orders(shop.settings) as orders:
        if await orders.unfinished(older_than=timedelta(0), limit=1):
            return ["not all orders have ended"]
        placed = {order.id: order async for order in _all(orders)}
    return [
        *_lost(shop.acknowledged, placed),
        *_money(placed, await shop.ledger()),
        *await _stock(shop, placed),
        *await _parcels(shop, placed),
    ]


def _lost(acknowledged: set[str], placed: dict[str, Order]) -> Iterator[str]:
    for order_id in acknowledged:
        if order_id not in placed or not placed[order_id].was_confirmed:
            yield f"order {order_id} was acknowledged with 201 and was not confirmed"


def _money(placed: dict[str, Order], ledger: list[Entry]) -> Iterator[str]:
    """What the provider holds or has kept of each order is what the order says: all, part or nothing."""
    by_order: dict[str, list[Entry]] = defaultdict(list)
    for entry in ledger:
        by_order[entry.reference].append(entry)
    for order_id in placed.keys() | by_order.keys():
        order = placed.get(order_id)
        due = order.total.amount - order.refunded if order is not None and order.state in _BOUGHT else 0
        held = _kept(by_order[order_id])
        if held != due:
            state = order.state if order is not None else "unknown to us"
            yield f"order {order_id} is {state}: {held} held or kept at the provider, {due} due"


def _kept(entries: list[Entry]) -> int:
    """What one order's buyer is without, over all its authorisations: captured and not refunded, or held."""
    kept: Counter[str | None] = Counter()
    for entry in entries:
        if entry.kind is Kind.AUTHORIZED:
            kept[entry.authorization_id] += entry.amount
        elif entry.kind in (Kind.VOIDED, Kind.REFUNDED):
            kept[entry.authorization_id] -= entry.amount
    return kept.total()


async def _stock(shop: Shop, placed: dict[str, Order]) -> list[str]:
    """What is reserved of each sku is what the orders hold of it that have not left the building."""
    sold: Counter[str] = Counter()
    for order in placed.values():
        if order.state is OrderState.CONFIRMED:
            sold.update({line.sku: line.quantity for line in order.lines})
    async with open_inventory(shop.settings) as inventory:
        stocks = await inventory.stock_of_many({*sold, *shop.skus})
    return [
        f"{sku}: {stock.reserved} of {stock.on_hand} reserved, {sold[sku]} sold"
        for sku, stock in stocks.items()
        if stock.reserved != sold[sku] or stock.reserved > stock.on_hand
    ]


async def _parcels(shop: Shop, placed: dict[str, Order]) -> list[str]:
    """Every order that was bought has its shipment, and none that was not has one under way."""
    async with open_fulfilment(shop.settings) as fulfilment:
        shipments = {shipment.order_id: shipment.state async for shipment in _shipments(fulfilment)}
    return [
        f"order {order.id} is {order.state} and its shipment {shipments.get(order.id)}"
        for order in placed.values()
        if (shipments.get(order.id, ShipmentState.STOPPED) is not ShipmentState.STOPPED)
        != (order.state in _BOUGHT)
    ]


async def _shipments(fulfilment: FulfilmentService) -> AsyncIterator[Shipment]:
    after = None
    while page := await fulfilment.shipments(state=None, after=after, limit=PAGE):
        for shipment in page:
            yield shipment
        after = (page[-1].created_at, page[-1].order_id)


async def _all(orders: OrdersService) -> AsyncIterator[Order]:
    after = None
    while page := await orders.orders(after=after, limit=PAGE):
        for order in page:
            yield order
        after = (page[-1].created_at, page[-1].id)
