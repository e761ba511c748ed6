"""A cart's lines on the real store: limits, prices, and writers at the same moment."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.carts import Repricing, cart_ref_of
from contracts.money import Money
from services.carts import keys, rules
from services.carts.cart import MINE, NamedCart
from services.carts.errors import CartNotFound, MixedCurrencies, PriceTooHigh, TooManyLines, UnknownSku
from tests.conftest import Servers
from tests.stores.carts_shop import Shop, euros, open_shop, quantities


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    async with open_shop(servers.carts_redis_url) as shop:
        yield shop


async def test_a_new_cart_is_empty_at_version_zero(shop: Shop) -> None:
    cart = await shop.carts.create(None)
    assert (cart.version, cart.lines, rules.cart_total(cart)) == (0, (), euros(0))


async def test_a_line_takes_title_and_price_from_the_catalog(shop: Shop) -> None:
    shop.catalog.prices["MUG"] = euros(1250)
    cart = await shop.carts.set_quantity(await shop.guest_cart(), "MUG", 2)
    line = cart.lines[0]
    assert (line.title, line.quantity, line.unit_price) == ("Title of MUG", 2, euros(1250))


async def test_a_line_keeps_its_price_and_asks_the_catalog_once(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1})
    shop.catalog.prices["MUG"] = euros(9999)
    cart = await shop.carts.set_quantity(named, "MUG", 3)
    assert cart.lines[0].unit_price == euros(100)
    assert shop.catalog.asked == ["MUG"]


async def test_lines_stand_in_the_order_in_which_they_came(shop: Shop) -> None:
    named = await shop.guest_cart({"C": 1, "A": 1, "B": 1})
    await shop.carts.set_quantity(named, "C", 5)
    assert list(quantities(await shop.carts.get(named))) == ["C", "A", "B"]


async def test_the_same_quantity_again_changes_nothing(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 2})
    assert (await shop.carts.set_quantity(named, "MUG", 2)).version == 1


async def test_zero_removes_the_line(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 2})
    cart = await shop.carts.set_quantity(named, "MUG", 0)
    assert (cart.lines, cart.version) == ((), 2)


async def test_removing_what_is_not_there_changes_nothing(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 2})
    assert (await shop.carts.remove(named, "POT")).version == 1


async def test_a_sku_that_is_not_sold_is_refused(shop: Shop) -> None:
    with pytest.raises(UnknownSku):
        await shop.carts.set_quantity(await shop.guest_cart(), "NO-SUCH", 1)


async def test_a_price_beyond_the_limit_is_refused(shop: Shop) -> None:
    shop.catalog.prices["YACHT"] = euros(rules.MAX_UNIT_PRICE + 1)
    with pytest.raises(PriceTooHigh):
        await shop.carts.set_quantity(await shop.guest_cart(), "YACHT", 1)


async def test_the_highest_price_survives_the_store_exactly(shop: Shop) -> None:
    shop.catalog.prices["YACHT"] = euros(rules.MAX_UNIT_PRICE)
    named = await shop.guest_cart({"YACHT": 1})
    await shop.carts.set_quantity(named, "YACHT", 999)
    assert (await shop.carts.get(named)).lines[0].unit_price == euros(rules.MAX_UNIT_PRICE)


async def test_a_title_survives_the_store_as_it_is(shop: Shop) -> None:
    shop.catalog.prices['Q"/\\'] = euros(1)
    cart = await shop.carts.set_quantity(await shop.guest_cart(), 'Q"/\\', 1)
    assert cart.lines[0].title == 'Title of Q"/\\'


async def test_another_currency_is_refused(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1})
    shop.catalog.prices["DINER-MUG"] = Money(amount=500, currency="USD")
    with pytest.raises(MixedCurrencies):
        await shop.carts.set_quantity(named, "DINER-MUG", 1)


async def test_an_empty_cart_takes_the_currency_of_its_first_line(shop: Shop) -> None:
    shop.catalog.prices["DINER-MUG"] = Money(amount=500, currency="USD")
    cart = await shop.carts.set_quantity(await shop.guest_cart(), "DINER-MUG", 2)
    assert rules.cart_total(cart) == Money(amount=1000, currency="USD")


async def test_a_cart_holds_a_hundred_lines_and_no_more(shop: Shop) -> None:
    named = await shop.guest_cart({f"SKU-{number}": 1 for number in range(rules.MAX_LINES)})
    shop.catalog.prices["ONE-MORE"] = euros(100)
    with pytest.raises(TooManyLines):
        await shop.carts.set_quantity(named, "ONE-MORE", 1)
    assert (await shop.carts.set_quantity(named, "SKU-0", 2)).version == rules.MAX_LINES + 1


async def test_concurrent_writers_of_different_skus_lose_nothing(shop: Shop) -> None:
    named = await shop.guest_cart()
    wanted = {f"SKU-{number}": number % 9 + 1 for number in range(80)}
    shop.catalog.prices.update(dict.fromkeys(wanted, euros(100)))
    await asyncio.gather(*(shop.carts.set_quantity(named, sku, units) for sku, units in wanted.items()))
    cart = await shop.carts.get(named)
    assert quantities(cart) == wanted
    assert cart.version == len(wanted)


async def test_concurrent_writers_of_one_sku_leave_one_of_their_quantities(shop: Shop) -> None:
    named = await shop.guest_cart()
    shop.catalog.prices["MUG"] = euros(100)
    await asyncio.gather(*(shop.carts.set_quantity(named, "MUG", units) for units in range(1, 41)))
    cart = await shop.carts.get(named)
    assert cart.lines[0].quantity in range(1, 41)
    assert cart.version == len(await shop.events(named.name))


async def test_racing_first_uses_agree_on_one_cart(shop: Shop) -> None:
    mine = await shop.customer()
    carts = await asyncio.gather(*(shop.carts.get(mine) for _ in range(40)))
    assert len({cart.id for cart in carts}) == 1


async def test_a_customers_first_cart_becomes_mine_and_the_second_does_not(shop: Shop) -> None:
    mine = await shop.customer()
    first = await shop.carts.create(mine.caller)
    second = await shop.carts.create(mine.caller)
    assert (await shop.carts.get(mine)).id == first.id != second.id


async def test_a_guests_cart_is_used_by_whoever_has_its_id(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1})
    assert quantities(await shop.carts.get(NamedCart(named.name, "somebody"))) == {"MUG": 1}


@pytest.mark.parametrize("caller", [None, "somebody-else"])
async def test_a_customers_cart_is_nobody_elses(shop: Shop, caller: str | None) -> None:
    cart = await shop.carts.get(await shop.customer())
    with pytest.raises(CartNotFound):
        await shop.carts.get(NamedCart(cart.id, caller))


async def test_fresh_prices_mark_the_lines_that_they_change(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1, "POT": 1, "LID": 1})
    prices = {"MUG": euros(150), "POT": euros(100), "ELSEWHERE": euros(1)}
    snapshot = await shop.carts.reprice(named, Repricing(prices=prices, gone=("LID",)))
    cart = await shop.carts.get(named)
    assert [(line.sku, line.price_changed, line.gone) for line in cart.lines] == [
        ("MUG", True, False),
        ("POT", False, False),
        ("LID", False, True),
    ]
    assert snapshot == cart.snapshot()


async def test_the_same_prices_again_change_nothing(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1, "LID": 1})
    repricing = Repricing(prices={"MUG": euros(150)}, gone=("LID",))
    first = await shop.carts.reprice(named, repricing)
    assert await shop.carts.reprice(named, repricing) == first


async def test_the_mark_of_a_new_price_goes_when_the_buyer_changes_the_line(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1})
    await shop.carts.reprice(named, Repricing(prices={"MUG": euros(150)}))
    cart = await shop.carts.set_quantity(named, "MUG", 1)
    assert (cart.lines[0].price_changed, cart.lines[0].unit_price) == (False, euros(150))


async def test_an_article_that_is_sold_again_loses_its_mark(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1})
    await shop.carts.reprice(named, Repricing(prices={}, gone=("MUG",)))
    await shop.carts.reprice(named, Repricing(prices={"MUG": euros(100)}))
    assert not (await shop.carts.get(named)).lines[0].gone


async def test_prices_in_another_currency_are_refused_and_change_nothing(shop: Shop) -> None:
    named = await shop.guest_cart({"MUG": 1, "POT": 1})
    prices = {"MUG": euros(7), "POT": Money(amount=7, currency="USD")}
    with pytest.raises(MixedCurrencies):
        await shop.carts.reprice(named, Repricing(prices=prices))
    assert (await shop.carts.get(named)).version == 2


async def test_mine_is_a_new_cart_after_the_old_one_has_expired(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    old = await shop.carts.get(mine)
    await shop.redis.delete(keys.CART % cart_ref_of(old.id))
    fresh = await shop.carts.get(NamedCart(MINE, mine.caller))
    assert (fresh.id != old.id, fresh.lines) == (True, ())
