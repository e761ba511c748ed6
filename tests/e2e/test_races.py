"""Buyers against buyers, and a buyer against himself: the stock and the order decide once."""

import asyncio
from collections import Counter

from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE, Answer

OUT_OF_STOCK = (409, "inventory.out_of_stock")
BUYERS, UNITS = 200, 50


def ends(answers: list[Answer]) -> Counter[object]:
    return Counter(answer.status if answer.status == 201 else answer.problem for answer in answers)


async def test_two_buyers_and_one_last_unit(shop: Shop) -> None:
    sku = await shop.sells(on_hand=1)
    carts = [await shop.guest.cart_with(sku) for _ in range(2)]

    answers = await asyncio.gather(*(shop.guest.see_through(cart) for cart in carts))

    assert ends(answers) == {201: 1, OUT_OF_STOCK: 1}
    assert await shop.stock(sku) == (1, 1)


async def test_two_hundred_buyers_and_fifty_units(shop: Shop) -> None:
    sku = await shop.sells(on_hand=UNITS)
    carts = await asyncio.gather(*(shop.guest.cart_with(sku) for _ in range(BUYERS)))

    answers = await asyncio.gather(*(shop.guest.see_through(cart) for cart in carts))

    assert ends(answers) == {201: UNITS, OUT_OF_STOCK: BUYERS - UNITS}
    assert await shop.stock(sku) == (UNITS, UNITS)


async def test_carts_that_want_the_same_in_opposite_order_do_not_block_each_other(shop: Shop) -> None:
    one, other = await shop.sells(on_hand=5), await shop.sells(on_hand=5)
    orders = [(one, other), (other, one)] * 5
    carts = [await shop.guest.cart_with(*skus) for skus in orders]

    answers = await asyncio.gather(*(shop.guest.see_through(cart) for cart in carts))

    assert ends(answers) == {201: 5, OUT_OF_STOCK: 5}
    assert [await shop.stock(one), await shop.stock(other)] == [(5, 5), (5, 5)]


async def test_a_cancel_that_races_the_confirmation_ends_one_way(shop: Shop) -> None:
    sku = await shop.sells(on_hand=10)

    async def race() -> bool:
        """Whether the order stands; the buyer, the canceller and the order must agree."""
        customer = await shop.customer()
        await customer.put("mine", sku, 1)
        buying = asyncio.create_task(customer.see_through("mine"))
        order_id = await customer.newest_order()
        cancel = await customer.call("POST", f"/v1/checkouts/{order_id}/cancel")
        bought = await buying
        stands = bought.status == 201
        if stands:
            assert cancel.problem == (409, "checkout.already_confirmed")
        else:
            assert (cancel.status, bought.problem) == (202, (409, "checkout.cancelled"))
        order = (await customer.get(f"/v1/orders/{order_id}")).body
        assert order["state"] == ("confirmed" if stands else "cancelled")
        assert await shop.held_for(order_id) == ([PRICE] if stands else [])
        return stands

    stand = [await race() for _ in range(5)]

    assert await shop.stock(sku) == (10, sum(stand))


async def test_a_price_that_changes_in_the_middle_of_a_rush_is_charged_to_nobody_unseen(shop: Shop) -> None:
    sku = await shop.sells(on_hand=100, price=1000)
    carts = [await shop.guest.cart_with(sku) for _ in range(20)]
    rush = [asyncio.create_task(shop.guest.see_through(cart)) for cart in carts]
    await shop.reprice(sku, 1500)

    answers = await asyncio.gather(*rush)

    assert set(ends(answers)) <= {201, (409, "checkout.cart_changed")}
    bought = [answer for answer in answers if answer.status == 201]
    assert {answer.body["total"]["amount"] for answer in bought} <= {1000}
    assert await shop.stock(sku) == (100, len(bought))
