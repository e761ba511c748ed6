"""Settling a purchase: once per order, whatever became of the cart meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from contracts.carts import Repricing, cart_ref_of
from services.carts import keys, rules
from tests.conftest import Servers
from tests.stores.carts_shop import Shop, euros, open_shop, quantities, user_of


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    async with open_shop(servers.carts_redis_url) as shop:
        yield shop


async def test_what_was_bought_is_taken_out_and_the_next_generation_starts(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2, "POT": 1})
    await shop.settle(guest.name, {"MUG": 2, "POT": 1})
    cart = await shop.carts.get(guest)
    assert (cart.lines, cart.generation, cart.version) == ((), 1, 3)


async def test_what_was_added_meanwhile_stays(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2, "POT": 1})
    bought = quantities(await shop.carts.get(guest))
    await shop.fill(guest, {"MUG": 5, "LID": 1})
    await shop.settle(guest.name, bought)
    assert quantities(await shop.carts.get(guest)) == {"MUG": 3, "LID": 1}


async def test_the_script_settles_as_the_rule_says(shop: Shop) -> None:
    chance = random.Random(11)
    skus = [f"SKU-{number}" for number in range(6)]
    for _ in range(25):
        held, bought = (
            {sku: chance.randint(1, 4) for sku in chance.sample(skus, chance.randint(1, 5))} for _ in range(2)
        )
        guest = await shop.guest_cart(held)
        await shop.settle(guest.name, bought)
        assert quantities(await shop.carts.get(guest)) == rules.settled(held, bought)


async def test_an_order_is_settled_once_however_often_it_is_told(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 10})
    await asyncio.gather(*(shop.settle(guest.name, {"MUG": 3}, order_id="o-1") for _ in range(20)))
    cart = await shop.carts.get(guest)
    assert (quantities(cart), cart.generation, cart.version) == ({"MUG": 7}, 1, 2)


async def test_an_order_of_an_earlier_generation_starts_no_new_one(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 10})
    await shop.settle(guest.name, {"MUG": 3})
    await shop.settle(guest.name, {"MUG": 3}, generation=0)
    cart = await shop.carts.get(guest)
    assert (quantities(cart), cart.generation) == ({"MUG": 4}, 1)


async def test_a_purchase_follows_the_cart_into_which_its_own_was_merged(shop: Shop) -> None:
    mine, guest = await shop.customer({"MUG": 1}), await shop.guest_cart({"MUG": 2, "POT": 1})
    await shop.carts.merge(user_of(mine), guest.name)
    await asyncio.gather(*(shop.settle(guest.name, {"MUG": 2, "POT": 1}, order_id="o-2") for _ in range(5)))
    cart = await shop.carts.get(mine)
    assert (quantities(cart), cart.generation) == ({"MUG": 1}, 0)


async def test_a_purchase_settled_before_the_merge_is_not_settled_again_after_it(shop: Shop) -> None:
    mine, guest = await shop.customer({"MUG": 1}), await shop.guest_cart({"MUG": 5})
    await shop.settle(guest.name, {"MUG": 2}, order_id="o-3")
    await shop.carts.merge(user_of(mine), guest.name)
    await shop.settle(guest.name, {"MUG": 2}, order_id="o-3")
    assert quantities(await shop.carts.get(mine)) == {"MUG": 4}


async def test_a_cart_that_expired_has_nothing_to_settle(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 1})
    await shop.redis.delete(keys.CART % cart_ref_of(guest.name))
    await shop.settle(guest.name, {"MUG": 1})
    assert (
        await shop.redis.exists(keys.CART % cart_ref_of(guest.name), keys.SETTLED % cart_ref_of(guest.name))
        == 0
    )


async def test_a_settled_cart_shows_no_news_of_prices(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2, "POT": 1})
    await shop.carts.reprice(guest, Repricing(prices={"MUG": euros(7), "POT": euros(8)}))
    await shop.settle(guest.name, {"MUG": 1})
    assert [line.price_changed for line in (await shop.carts.get(guest)).lines] == [False, False]
