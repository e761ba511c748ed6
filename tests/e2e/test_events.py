"""Events through the whole platform: with the bus away or wiped, with workers killed, nothing is lost."""

import asyncio
from typing import Any

from redis.asyncio import Redis

from tests.e2e.breakage import frozen, ready
from tests.e2e.shop import Shop
from tests.platform_process import Platform
from tests.polling import until

HEARING = ("orders-worker", "carts-worker", "fulfilment-worker", "notifications-worker", "products-worker")


async def bought(shop: Shop, sku: str) -> str:
    guest = shop.guest
    answer = await guest.see_through(await guest.cart_with(sku))
    assert answer.status == 201, answer.raw
    return str(answer.body["order_id"])


async def followed(shop: Shop, order_id: str) -> None:
    """Return once everybody who hears of an order has done what he does, once."""

    async def has_shipment() -> bool:
        return (await shop.staff.get(f"/v1/fulfilments/{order_id}")).status == 200

    await until(has_shipment)
    await shop.mail_about(order_id, subjects=1)


async def test_services_go_on_while_the_bus_is_away_and_the_backlog_drains(
    shop: Shop, platform: Platform
) -> None:
    sku = await shop.sells(on_hand=20)
    async with frozen(platform, "valkey-bus"):
        orders = await asyncio.gather(*(bought(shop, sku) for _ in range(10)))
    for order_id in orders:
        await followed(shop, order_id)


async def test_a_bus_that_was_killed_comes_back_empty_and_is_told_again(
    shop: Shop, platform: Platform
) -> None:
    sku = await shop.sells(on_hand=20)
    orders = [await bought(shop, sku) for _ in range(3)]
    platform.kill("valkey-bus")
    orders += await asyncio.gather(*(bought(shop, sku) for _ in range(3)))
    await ready(platform)
    for order_id in orders:
        await followed(shop, order_id)


async def test_killed_workers_lose_and_double_no_reaction(shop: Shop, platform: Platform) -> None:
    sku = await shop.sells(on_hand=20)
    orders = await asyncio.gather(*(bought(shop, sku) for _ in range(5)))
    for worker in HEARING:
        platform.kill(worker)
    orders += await asyncio.gather(*(bought(shop, sku) for _ in range(5)))
    await ready(platform)
    for order_id in orders:
        await followed(shop, order_id)


async def test_stock_and_prices_reach_the_catalog_and_the_carts(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=5), await shop.customer()
    await customer.put("mine", sku, 2)
    await shop.reprice(sku, 2500)
    await shop.staff.call("PUT", f"/v1/inventory/{sku}", {"on_hand": 1})

    async def seen() -> bool:
        [line] = (await customer.get("/v1/carts/mine")).body["items"]
        return bool(line["unit_price"]["amount"] == 2500 and line.get("price_changed") is True)

    await until(seen)

    async def projected() -> bool:
        product = (await customer.get(f"/v1/products/{sku.lower()}")).body
        return bool(product["variants"][0]["available"] == 1)

    await until(projected)


async def test_an_unreadable_event_holds_up_nobody(shop: Shop) -> None:
    """Whatever comes over the bus: it is parked, and its neighbours are heard."""
    bus = Redis.from_url(shop.settings.secret("bus_redis_url"))
    try:
        for shard in range(4):
            odd: Any = {"type": "order.confirmed", "subject": f"odd-{shard}", "body": "not an event"}
            await bus.xadd(f"events:orders:{shard}", odd)
    finally:
        await bus.aclose()
    await followed(shop, await bought(shop, await shop.sells()))
