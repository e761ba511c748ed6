"""What a cart's change leaves beside it: its event, its life, and no secret."""

from collections.abc import AsyncIterator

import pytest

from contracts.carts import (
    CART_CHANGED,
    CART_MERGED,
    CART_SETTLED,
    CartChanged,
    CartMerged,
    CartSettled,
    Repricing,
    cart_ref_of,
)
from contracts.errors import Unavailable
from runtime.trace import bind_trace, current_traceparent
from services.carts import keys
from services.carts.connection import connect
from services.carts.store import CartStore
from tests.conftest import Servers
from tests.ports import free_port
from tests.stores.carts_shop import Shop, euros, open_shop, user_of


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    async with open_shop(servers.carts_redis_url) as shop:
        yield shop


async def test_every_change_tells_of_itself_in_sequence(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 1, "POT": 2})
    await shop.carts.reprice(guest, Repricing(prices={"MUG": euros(7)}))
    await shop.settle(guest.name, {"MUG": 1})
    await shop.carts.remove(guest, "POT")
    events = await shop.events(guest.name)
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert [event.type for event in events] == [CART_CHANGED] * 3 + [CART_SETTLED, CART_CHANGED]


async def test_an_event_carries_the_whole_cart(shop: Shop) -> None:
    mine = await shop.customer({"POT": 2, "MUG": 1})
    cart = await shop.carts.get(mine)
    event = (await shop.events(cart.id))[-1]
    told = CartChanged.model_validate(event.data)
    assert (told.owner, told.version, told.generation) == (mine.caller, cart.version, cart.generation)
    assert (told.currency, told.lines) == (cart.currency, cart.snapshot().lines)


async def test_an_emptied_cart_is_told_as_an_empty_list(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 1})
    await shop.settle(guest.name, {"MUG": 1}, order_id="o-9")
    told = CartSettled.model_validate((await shop.events(guest.name))[-1].data)
    assert (told.lines, told.order_id, told.owner) == ((), "o-9", None)


async def test_a_merge_is_told_of_the_cart_that_stays(shop: Shop) -> None:
    mine, guest = await shop.customer(), await shop.guest_cart({"MUG": 1})
    cart = await shop.carts.merge(user_of(mine), guest.name)
    event = (await shop.events(cart.id))[-1]
    assert event.type == CART_MERGED
    assert CartMerged.model_validate(event.data).merged == cart_ref_of(guest.name)


async def test_an_event_carries_the_trace_of_its_request(shop: Shop) -> None:
    bind_trace(None)
    guest = await shop.guest_cart({"MUG": 1})
    assert [event.traceparent for event in await shop.events(guest.name)] == [current_traceparent()]


async def test_the_id_of_a_guests_cart_is_never_in_the_outbox(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2})
    await shop.carts.reprice(guest, Repricing(prices={"MUG": euros(7)}))
    await shop.settle(guest.name, {"MUG": 1})
    await shop.carts.merge(user_of(await shop.customer()), guest.name)
    assert guest.name not in str(await shop.redis.xrange(keys.OUTBOX))


async def test_the_store_itself_does_not_know_the_id_of_a_guests_cart(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2})
    names = [name async for name in shop.redis.scan_iter(count=1000)]
    cart = await shop.redis.hgetall(keys.CART % cart_ref_of(guest.name))
    assert guest.name not in str(names) + str(cart)


async def test_reading_and_creating_tell_nothing(shop: Shop) -> None:
    cart = await shop.carts.get(await shop.customer())
    assert await shop.events(cart.id) == []


async def test_every_key_of_a_cart_ends_after_thirty_idle_days(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    guest = await shop.guest_cart({"MUG": 1})
    await shop.settle(guest.name, {"MUG": 1})
    cart = await shop.carts.merge(user_of(mine), guest.name)
    await shop.settle(cart.id, {"MUG": 1})
    names = [
        keys.CART % cart_ref_of(guest.name),
        keys.SETTLED % cart_ref_of(guest.name),
        keys.CART % cart_ref_of(cart.id),
        keys.SETTLED % cart_ref_of(cart.id),
        keys.CUSTOMER % mine.caller,
    ]
    lives = [await shop.redis.ttl(name) for name in names]
    assert all(keys.IDLE_SECONDS - 60 <= life <= keys.IDLE_SECONDS for life in lives)


@pytest.mark.parametrize("use", ["read", "change", "settle"])
async def test_every_use_prolongs_a_carts_life(shop: Shop, use: str) -> None:
    mine = await shop.customer({"MUG": 2})
    cart = await shop.carts.get(mine)
    names = [keys.CART % cart_ref_of(cart.id), keys.CUSTOMER % mine.caller]
    for name in names:
        await shop.redis.expire(name, 100)
    match use:
        case "read":
            await shop.carts.get(mine)
        case "change":
            await shop.carts.set_quantity(mine, "MUG", 3)
        case "settle":
            await shop.settle(cart.id, {"MUG": 1})
    assert all([await shop.redis.ttl(name) > keys.IDLE_SECONDS - 60 for name in names])


async def test_a_lost_script_cache_is_filled_again(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 1})
    await shop.redis.script_flush()
    assert (await shop.carts.get(guest)).version == 1


async def test_a_store_that_is_down_is_said_to_be_unavailable() -> None:
    async with connect(f"redis://127.0.0.1:{free_port()}/0") as redis:
        store = CartStore(redis)
        with pytest.raises(Unavailable):
            await store.create(None)
        with pytest.raises(Unavailable):
            await store.ping()
