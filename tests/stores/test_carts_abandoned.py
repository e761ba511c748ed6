"""Customers' carts that are left alone: told of once, and again only after their next change."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from contracts.carts import CART_ABANDONED, CartAbandoned, cart_ref_of
from contracts.events import Event
from runtime.clock import utc_now
from runtime.settings import Settings
from services.carts import keys
from services.carts.cart import NamedCart
from tests.conftest import Servers
from tests.polling import until
from tests.stores.carts_shop import Shop, open_shop, quantities, user_of
from workers.carts import AbandonedCarts

IDLE = timedelta(hours=4)


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    async with open_shop(servers.carts_redis_url) as shop:
        yield shop


def later() -> datetime:
    return utc_now() + IDLE + timedelta(seconds=1)


async def told(shop: Shop, named: NamedCart) -> list[Event]:
    cart = await shop.carts.get(named)
    return [event for event in await shop.events(cart.id) if event.type == CART_ABANDONED]


async def test_a_cart_left_alone_is_told_of_with_all_that_is_in_it(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 2})
    changed = (await shop.events((await shop.carts.get(mine)).id))[-1]
    await shop.carts.sweep_abandoned(IDLE, later())
    [event] = await told(shop, mine)
    facts = CartAbandoned.model_validate(event.data)
    assert (facts.owner, facts.idle_since, event.sequence) == (mine.caller, changed.time, 2)
    assert [(line.sku, line.quantity) for line in facts.lines] == [("MUG", 2)]


async def test_many_sweeps_at_once_tell_once(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    await asyncio.gather(*(shop.carts.sweep_abandoned(IDLE, later()) for _ in range(10)))
    await shop.carts.sweep_abandoned(IDLE, later() + IDLE)
    assert len(await told(shop, mine)) == 1


async def test_more_carts_than_one_step_takes_are_all_told_of(shop: Shop) -> None:
    customers = [await shop.customer({"MUG": 1}) for _ in range(120)]
    assert await shop.carts.sweep_abandoned(IDLE, later()) >= len(customers)
    assert [len(await told(shop, mine)) for mine in customers] == [1] * len(customers)


async def test_a_cart_in_use_is_not_told_of(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    await shop.carts.sweep_abandoned(IDLE, utc_now())
    assert await told(shop, mine) == []


async def test_the_next_change_starts_a_new_wait(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    await shop.carts.sweep_abandoned(IDLE, later())
    await shop.carts.set_quantity(mine, "MUG", 2)
    await shop.carts.sweep_abandoned(IDLE, later())
    assert len(await told(shop, mine)) == 2


async def test_a_guest_cannot_be_told(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 1})
    await shop.carts.sweep_abandoned(IDLE, later())
    assert await told(shop, guest) == []


@pytest.mark.parametrize("how", ["emptied", "bought"])
async def test_an_empty_cart_is_not_missed_by_anybody(shop: Shop, how: str) -> None:
    mine = await shop.customer({"MUG": 1})
    if how == "emptied":
        await shop.carts.remove(mine, "MUG")
    else:
        await shop.settle((await shop.carts.get(mine)).id, {"MUG": 1})
    await shop.carts.sweep_abandoned(IDLE, later())
    assert await told(shop, mine) == []


async def test_a_cart_that_was_merged_away_is_not_told_of(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    other = await shop.carts.create(user_of(mine))
    await shop.fill(NamedCart(other.id, mine.caller), {"MUG": 2})
    await shop.carts.merge(user_of(mine), other.id)
    assert await shop.redis.zscore(keys.WATCHED, cart_ref_of(other.id)) is None


async def test_being_told_of_changes_nothing_else(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    cart = await shop.carts.get(mine)
    await shop.redis.expire(keys.CART % cart_ref_of(cart.id), 100)
    await shop.carts.sweep_abandoned(IDLE, later())
    assert await shop.redis.ttl(keys.CART % cart_ref_of(cart.id)) <= 100
    assert quantities(await shop.carts.get(mine)) == {"MUG": 1}


async def test_the_worker_looks_again_and_again(shop: Shop) -> None:
    settings = Settings(cart_abandoned_seconds=0.1)
    looking = asyncio.create_task(AbandonedCarts(shop.carts, settings).run())
    mine = await shop.customer({"MUG": 1})

    async def was_told() -> bool:
        return len(await told(shop, mine)) == 1

    try:
        await until(was_told)
    finally:
        looking.cancel()
