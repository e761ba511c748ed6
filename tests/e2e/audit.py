"""After everything: do the orders, the payment provider's own ledger and the stock agree?"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from contracts.orders import OrderState
from sandbox.psp.models import Entry
from services.inventory.factory import open_inventory
from services.orders.factory import open_orders
from services.orders.order import Order
from services.orders.service import OrdersService
from tests.e2e.shop import Shop, held_in
from tests.polling import until

END_SECONDS = 60.0
PAGE = 200


async def audit(shop: Shop) -> None:
    """Fail with everything that does not add up, over all orders that the platform has."""
    async with open_orders(shop.settings) as orders:

        async def all_ended() -> bool:
            return not await orders.unfinished(older_than=timedelta(0), limit=1)

        await until(all_ended, within=END_SECONDS)
        placed = {order.id: order async for order in _all(orders)}
    faults = [
        *_lost(shop.acknowledged, placed),
        *_money(placed, await shop.ledger()),
        *await _stock(shop, placed),
    ]
    assert not faults, "\n".join(faults)


def _lost(acknowledged: set[str], placed: dict[str, Order]) -> Iterator[str]:
    for order_id in acknowledged:
        if order_id not in placed or placed[order_id].state is not OrderState.CONFIRMED:
            yield f"order {order_id} was acknowledged with 201 and is not confirmed"


def _money(placed: dict[str, Order], ledger: list[Entry]) -> Iterator[str]:
    """One authorisation for each confirmed order over its total, nothing held for any other."""
    by_order: dict[str, list[Entry]] = defaultdict(list)
    for entry in ledger:
        by_order[entry.reference].append(entry)
    for order_id in placed.keys() | by_order.keys():
        order = placed.get(order_id)
        due = [order.total.amount] if order is not None and order.state is OrderState.CONFIRMED else []
        held = held_in(by_order[order_id])
        if held != due:
            state = order.state if order is not None else "unknown to us"
            yield f"order {order_id} is {state}: {held} held at the provider, {due} due"


async def _stock(shop: Shop, placed: dict[str, Order]) -> list[str]:
    """What is reserved of each sku is what the confirmed orders hold of it."""
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


async def _all(orders: OrdersService) -> AsyncIterator[Order]:
    after = None
    while page := await orders.orders(after=after, limit=PAGE):
        for order in page:
            yield order
        after = (page[-1].created_at, page[-1].id)
