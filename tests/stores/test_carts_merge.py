"""Merging a guest's cart into a customer's: once, in one step, with the guest's cart gone."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from contracts.money import Money
from services.carts import rules
from services.carts.cart import MINE, NamedCart
from services.carts.errors import CartNotFound, MixedCurrencies, TooManyLines
from tests.conftest import Servers
from tests.stores.carts_shop import Shop, euros, open_shop, quantities, user_of


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    async with open_shop(servers.carts_redis_url) as shop:
        yield shop


async def test_quantities_add_up_and_new_lines_come_after_mine(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1, "POT": 2})
    guest = await shop.guest_cart({"LID": 5, "POT": 3})
    merged = await shop.carts.merge(user_of(mine), guest.name)
    assert list(quantities(merged).items()) == [("MUG", 1), ("POT", 5), ("LID", 5)]


async def test_a_sku_in_both_keeps_my_price_and_a_new_one_brings_its_own(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    shop.catalog.prices |= {"MUG": euros(999), "LID": euros(55)}
    guest = await shop.guest_cart({"MUG": 1, "LID": 1})
    merged = await shop.carts.merge(user_of(mine), guest.name)
    assert {line.sku: line.unit_price.amount for line in merged.lines} == {"MUG": 100, "LID": 55}


async def test_the_script_merges_as_the_rule_says(shop: Shop) -> None:
    chance = random.Random(7)
    skus = [f"SKU-{number}" for number in range(6)]
    for _ in range(25):
        held, brought = (
            {sku: chance.choice((1, 400, 999)) for sku in chance.sample(skus, chance.randint(0, 5))}
            for _ in range(2)
        )
        mine, guest = await shop.customer(held), await shop.guest_cart(brought)
        merged = await shop.carts.merge(user_of(mine), guest.name)
        assert quantities(merged) == rules.merged(held, brought)


async def test_the_guests_cart_is_gone(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 1})
    await shop.carts.merge(user_of(await shop.customer()), guest.name)
    with pytest.raises(CartNotFound):
        await shop.carts.get(guest)


async def test_fifty_merges_at_once_add_once(shop: Shop) -> None:
    mine, guest = await shop.customer({"MUG": 1}), await shop.guest_cart({"MUG": 2, "POT": 3})
    merges = await asyncio.gather(*(shop.carts.merge(user_of(mine), guest.name) for _ in range(50)))
    assert {tuple(quantities(cart).items()) for cart in merges} == {(("MUG", 3), ("POT", 3))}
    assert {cart.version for cart in merges} == {2}


async def test_of_many_customers_one_gets_the_guests_cart(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2})
    customers = [await shop.customer() for _ in range(20)]
    outcomes = await asyncio.gather(
        *(shop.carts.merge(user_of(mine), guest.name) for mine in customers), return_exceptions=True
    )
    assert sum(isinstance(outcome, CartNotFound) for outcome in outcomes) == len(customers) - 1
    held = [quantities(await shop.carts.get(mine)) for mine in customers]
    assert sorted(held, key=len)[-2:] == [{}, {"MUG": 2}]


async def test_an_addition_that_races_the_merge_is_merged_or_refused(shop: Shop) -> None:
    for _ in range(10):
        mine, guest = await shop.customer(), await shop.guest_cart({"MUG": 1})
        adding = [shop.carts.set_quantity(guest, f"SKU-{number}", 1) for number in range(10)]
        shop.catalog.prices |= {f"SKU-{number}": euros(1) for number in range(10)}
        *added, _ = await asyncio.gather(
            *adding, shop.carts.merge(user_of(mine), guest.name), return_exceptions=True
        )
        acknowledged = {
            f"SKU-{number}" for number, outcome in enumerate(added) if not isinstance(outcome, CartNotFound)
        }
        assert set(quantities(await shop.carts.get(mine))) == acknowledged | {"MUG"}


async def test_a_repeated_merge_leaves_the_cart_as_it_is_now(shop: Shop) -> None:
    mine, guest = await shop.customer(), await shop.guest_cart({"MUG": 2})
    await shop.carts.merge(user_of(mine), guest.name)
    changed = await shop.carts.set_quantity(mine, "MUG", 7)
    assert await shop.carts.merge(user_of(mine), guest.name) == changed


async def test_a_cart_that_somebody_else_merged_is_not_found(shop: Shop) -> None:
    guest = await shop.guest_cart({"MUG": 2})
    await shop.carts.merge(user_of(await shop.customer()), guest.name)
    with pytest.raises(CartNotFound):
        await shop.carts.merge(user_of(await shop.customer()), guest.name)


async def test_somebody_elses_cart_is_not_found(shop: Shop) -> None:
    theirs = await shop.carts.get(await shop.customer({"MUG": 1}))
    with pytest.raises(CartNotFound):
        await shop.carts.merge(user_of(await shop.customer()), theirs.id)


async def test_a_cart_that_never_was_is_not_found(shop: Shop) -> None:
    with pytest.raises(CartNotFound):
        await shop.carts.merge(user_of(await shop.customer()), "no-such-cart")


async def test_my_other_cart_can_be_merged(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    other = await shop.carts.create(mine.caller)
    await shop.fill(NamedCart(other.id, mine.caller), {"MUG": 2})
    assert quantities(await shop.carts.merge(user_of(mine), other.id)) == {"MUG": 3}


@pytest.mark.parametrize("by_id", [True, False])
async def test_merging_mine_into_itself_changes_nothing(shop: Shop, by_id: bool) -> None:
    mine = await shop.customer({"MUG": 1})
    before = await shop.carts.get(mine)
    assert await shop.carts.merge(user_of(mine), before.id if by_id else MINE) == before


async def test_a_merge_beyond_the_limit_of_lines_is_refused_and_keeps_both(shop: Shop) -> None:
    mine = await shop.customer({f"M-{number}": 1 for number in range(60)})
    guest = await shop.guest_cart({f"G-{number}": 1 for number in range(41)})
    with pytest.raises(TooManyLines):
        await shop.carts.merge(user_of(mine), guest.name)
    assert [len((await shop.carts.get(named)).lines) for named in (mine, guest)] == [60, 41]


async def test_a_merge_of_two_currencies_is_refused_and_keeps_both(shop: Shop) -> None:
    mine = await shop.customer({"MUG": 1})
    shop.catalog.prices["DINER-MUG"] = Money(amount=500, currency="USD")
    guest = await shop.guest_cart({"DINER-MUG": 1})
    with pytest.raises(MixedCurrencies):
        await shop.carts.merge(user_of(mine), guest.name)
    assert [len((await shop.carts.get(named)).lines) for named in (mine, guest)] == [1, 1]


async def test_an_empty_cart_of_mine_takes_the_guests_currency(shop: Shop) -> None:
    shop.catalog.prices["DINER-MUG"] = Money(amount=500, currency="USD")
    guest = await shop.guest_cart({"DINER-MUG": 1})
    assert (await shop.carts.merge(user_of(await shop.customer()), guest.name)).currency == "USD"
