"""What carts makes of what it hears of the catalog and the stock: in any order, twice, and when looked at."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.carts import CART_CHANGED, Repricing
from contracts.events import Event
from contracts.inventory import STOCK_CHANGED, StockChanged
from contracts.money import Money
from contracts.products import (
    PRICE_CHANGED,
    PRODUCT_CREATED,
    PRODUCT_UPDATED,
    REMOVED,
    PriceChanged,
    ProductUpdated,
    Removed,
    Variant,
)
from runtime.clock import utc_now
from runtime.reactor import Reactor
from services.carts import keys
from services.carts.cart import Line, NamedCart
from tests.conftest import Servers
from tests.stores.carts_shop import PATIENCE_SECONDS, Shop, euros, open_shop, user_of
from workers.carts import HEARS


class World:
    """What other services say, as the worker's list of reactions takes it; one sku and its first product."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.sku = f"SKU-{uuid4().hex[:8].upper()}"
        self.product = f"prd_{uuid4().hex}"
        self.reactor = Reactor(shop.carts, HEARS, patience=PATIENCE_SECONDS)

    async def hears(self, event: Event) -> None:
        for handler in self.reactor.handlers_of(event.type):
            await self.reactor.react(handler, event.type, event.model_dump_json())

    async def filled(self, quantity: int = 2) -> NamedCart:
        return await self.shop.guest_cart({self.sku: quantity})

    async def line(self, named: NamedCart) -> Line:
        [line] = (await self.shop.carts.get(named)).lines
        return line

    def stock(self, available: int, sequence: int) -> Event:
        data = StockChanged(sku=self.sku, on_hand=available, reserved=0, available=available, reason="set")
        return Event.of(STOCK_CHANGED, subject=self.sku, sequence=sequence, time=utc_now(), data=data)

    def price(self, amount: int, sequence: int, currency: str = "EUR") -> Event:
        price = Money(amount=amount, currency=currency)
        data = PriceChanged(product_id=self.product, sku=self.sku, old_price=euros(1), new_price=price)
        return self._of_product(PRICE_CHANGED, self.product, sequence, data)

    def removed(self, sequence: int, at: datetime | None = None) -> Event:
        data = Removed(product_id=self.product, skus=(self.sku,))
        return self._of_product(REMOVED, self.product, sequence, data, at)

    def sold(
        self, amount: int, sequence: int, *, product: str | None = None, at: datetime | None = None
    ) -> Event:
        """All of a product, after its first change an update."""
        product = product or self.product
        price = {"amount": amount, "currency": "EUR"}
        data = ProductUpdated(
            product_id=product,
            slug="mug",
            title="Mug",
            description="",
            category="kitchen",
            images=(),
            variants=(Variant.model_validate({"sku": self.sku, "title": "One", "price": price}),),
        )
        kind = PRODUCT_CREATED if sequence == 1 else PRODUCT_UPDATED
        return self._of_product(kind, product, sequence, data, at)

    @staticmethod
    def _of_product(kind: str, product: str, sequence: int, data: Any, at: datetime | None = None) -> Event:
        return Event.of(kind, subject=product, sequence=sequence, time=at or utc_now(), data=data)


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    async with open_shop(servers.carts_redis_url) as shop:
        yield World(shop)


async def test_a_new_price_is_shown_marked_and_told_when_the_buyer_looks(world: World) -> None:
    named = await world.filled()
    await world.hears(world.price(150, 2))
    line = await world.line(named)
    assert (line.unit_price, line.price_changed) == (euros(150), True)
    told = (await world.shop.events(named.name))[-1]
    assert (told.type, told.sequence) == (CART_CHANGED, 2)
    lines: Any = told.data["lines"]
    assert lines[0]["unit_price"]["amount"] == 150


async def test_a_checkout_takes_the_price_that_was_seen_until_the_buyer_looks(world: World) -> None:
    named = await world.filled()
    await world.hears(world.price(150, 2))
    before = await world.shop.carts.snapshot(named)
    await world.shop.carts.get(named)
    after = await world.shop.carts.snapshot(named)
    assert [(cart.version, cart.lines[0].unit_price) for cart in (before, after)] == [
        (1, euros(100)),
        (2, euros(150)),
    ]


async def test_looking_again_changes_nothing(world: World) -> None:
    named = await world.filled()
    await world.hears(world.price(150, 2))
    first = await world.shop.carts.get(named)
    assert await world.shop.carts.get(named) == first


async def test_what_is_heard_twice_or_late_is_dropped(world: World) -> None:
    named = await world.filled()
    for event in (world.price(150, 3), world.price(120, 2), world.price(150, 3), world.sold(90, 1)):
        await world.hears(event)
    assert (await world.line(named)).unit_price == euros(150)


async def test_a_price_that_came_in_fresher_is_not_undone_by_what_was_heard_before(world: World) -> None:
    await world.hears(world.price(150, 2))
    bought_now = await world.filled()
    assert (await world.line(bought_now)).unit_price == euros(100)
    repricing = Repricing(prices={world.sku: euros(170)})
    await world.shop.carts.reprice(bought_now, repricing)
    assert (await world.line(bought_now)).unit_price == euros(170)


async def test_a_change_shows_a_price_that_was_heard_before_it(world: World) -> None:
    named = await world.filled()
    await world.hears(world.price(150, 2))
    cart = await world.shop.carts.set_quantity(named, world.sku, 5)
    assert (cart.version, cart.lines[0].quantity, cart.lines[0].price_changed) == (2, 5, True)


async def test_a_merge_shows_what_was_heard_of_the_lines_that_it_brings(world: World) -> None:
    guest, mine = await world.filled(), await world.shop.customer()
    await world.hears(world.price(150, 2))
    merged = await world.shop.carts.merge(user_of(mine), guest.name)
    [line] = merged.lines
    assert (merged.version, line.unit_price, line.price_changed) == (1, euros(150), True)


async def test_what_is_no_longer_sold_is_gone_until_it_is_sold_again(world: World) -> None:
    named = await world.filled()
    await world.hears(world.removed(2))
    gone = await world.line(named)
    await world.hears(world.sold(100, 3))
    back = await world.line(named)
    assert [(line.gone, line.price_changed) for line in (gone, back)] == [(True, False), (False, False)]


async def test_a_sku_that_moved_to_another_product_is_sold_whatever_order_that_is_heard_in(
    world: World,
) -> None:
    named, now = await world.filled(), utc_now()
    moved = world.sold(130, 1, product="prd_other", at=now + timedelta(seconds=1))
    for event in (moved, world.sold(90, 4, at=now), world.removed(5, at=now)):
        await world.hears(event)
    line = await world.line(named)
    assert (line.gone, line.unit_price) == (False, euros(130))


async def test_a_price_in_another_currency_waits_for_the_checkout(world: World) -> None:
    named = await world.filled()
    await world.hears(world.price(150, 2, "USD"))
    assert (await world.line(named)).unit_price == euros(100)


async def test_fewer_than_wanted_is_said_and_enough_is_not(world: World) -> None:
    named = await world.filled(quantity=3)
    seen = []
    for available, sequence in ((2, 5), (9, 4), (3, 6), (0, 7)):
        await world.hears(world.stock(available, sequence))
        seen.append((await world.line(named)).available)
    assert seen == [2, 2, None, 0]


async def test_what_can_be_had_is_no_change_of_the_cart(world: World) -> None:
    named = await world.filled()
    await world.hears(world.stock(0, 1))
    assert (await world.shop.carts.get(named)).version == 1


async def test_what_was_heard_is_forgotten_after_thirty_days(world: World) -> None:
    await world.hears(world.stock(1, 1))
    await world.hears(world.price(150, 2))
    life = await world.shop.redis.ttl(keys.ARTICLE % world.sku)
    assert keys.IDLE_SECONDS - 60 <= life <= keys.IDLE_SECONDS
