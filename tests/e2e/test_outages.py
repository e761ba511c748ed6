"""Something is down, frozen or killed: what was accepted ends once, what cannot be done now is said."""

import asyncio

from tests.e2e.breakage import frozen, ready
from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE
from tests.platform_process import Platform
from tests.polling import until

WORKERS = ("orders-worker", "inventory-worker", "payments-worker")


async def test_a_filled_cart_is_bought_while_the_catalog_is_frozen(shop: Shop, platform: Platform) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)
    async with frozen(platform, "mongo"):
        answer = await guest.buy(cart)

    assert answer.status == 201, answer.raw


async def test_a_filled_cart_is_bought_when_the_catalog_was_just_killed(
    shop: Shop, platform: Platform
) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)

    platform.kill("mongo")
    answer = await guest.buy(cart)

    await ready(platform)
    assert answer.status == 201, answer.raw


async def test_without_the_catalog_only_a_new_article_cannot_be_added(shop: Shop, platform: Platform) -> None:
    known, new, guest = await shop.sells(), await shop.sells(), shop.guest
    cart = await guest.cart_with(known)
    async with frozen(platform, "products-api"):
        refused = await guest.put(cart, new, 1)
        changed = await guest.put(cart, known, 2)

    assert refused.problem == (503, "service.unavailable")
    assert changed.status == 200
    assert await guest.quantities(cart) == {known: 2}


async def test_a_checkout_waits_for_temporal(shop: Shop, platform: Platform) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)
    async with frozen(platform, "temporal"):
        accepted = await guest.buy(cart, "key-1")
        assert accepted.status == 202, accepted.raw
        assert accepted.body["state"] == "running"
        # What it was told while it was frozen is lost with it: the order's row alone knows.
        platform.kill("temporal")

    ended = await guest.see_through(cart, "key-1")
    assert (ended.status, ended.body["id"]) == (201, accepted.body["id"])
    assert await shop.stock(sku) == (10, 1)


async def test_a_checkout_waits_for_the_payment_provider(shop: Shop, platform: Platform) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)
    async with frozen(platform, "psp"):
        accepted = await guest.buy(cart, "key-1")
        assert accepted.status == 202, accepted.raw
        assert accepted.headers["location"] == f"/v1/checkouts/{accepted.body['id']}"

        async def is_tried_again() -> bool:
            running = await guest.get(accepted.headers["location"], accepted.body["access_token"])
            attempts = {step["name"]: step["attempts"] for step in running.body["steps"]}
            return bool(attempts["payments.authorize"] > 1)

        await until(is_tried_again)

    ended = await guest.see_through(cart, "key-1")
    assert (ended.status, ended.body["id"]) == (201, accepted.body["id"])
    assert await shop.held_for(accepted.body["id"]) == [PRICE]


async def test_accepted_checkouts_end_while_carts_are_away(shop: Shop, platform: Platform) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 2)
    async with frozen(platform, "payments-worker"):
        buying = asyncio.create_task(customer.see_through("mine"))
        await customer.reaches(await customer.running_order(), "payments.authorize")
        async with frozen(platform, "valkey-carts"):
            platform.cont("payments-worker")
            answer = await buying
            carts = await customer.get("/v1/carts/mine")

    assert answer.status == 201, answer.raw
    assert carts.problem == (503, "service.unavailable")
    assert await shop.held_for(answer.body["id"]) == [2 * PRICE]
    await customer.finds("mine", {})


async def test_killed_workers_lose_no_checkout(shop: Shop, platform: Platform) -> None:
    """Each worker dies with a step in its hands: the money may be held, the stock may be held already."""
    sku = await shop.sells()
    paying, reserving = await shop.customer(), await shop.customer()
    await asyncio.gather(paying.put("mine", sku, 1), reserving.put("mine", sku, 1))
    buys = [asyncio.create_task(paying.see_through("mine", card="tok_slow"))]
    await paying.reaches(await paying.running_order(), "payments.authorize")
    platform.stop("inventory-worker")
    buys.append(asyncio.create_task(reserving.see_through("mine")))
    await reserving.reaches(await reserving.running_order(), "inventory.reserve")

    for worker in WORKERS:
        platform.kill(worker)
    answers = await asyncio.gather(*buys)

    await ready(platform)
    assert [answer.status for answer in answers] == [201, 201]
    assert [await shop.held_for(answer.body["id"]) for answer in answers] == [[PRICE], [PRICE]]
    assert await shop.stock(sku) == (10, 2)


async def test_a_killed_api_keeps_what_it_accepted(shop: Shop, platform: Platform) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 1)
    async with frozen(platform, "payments-worker"):
        buying = asyncio.create_task(customer.buy("mine", "key-1"))
        order_id = await customer.running_order()
        platform.kill("orders-api")
        assert (await buying).problem == (503, "gateway.upstream_unavailable")

    ended = await customer.see_through("mine", "key-1")
    assert (ended.status, ended.body["id"]) == (201, order_id)
