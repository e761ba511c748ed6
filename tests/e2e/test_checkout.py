"""Checkouts through the gateway: how each ends, and what is left of it."""

import asyncio
from typing import Any

import pytest

from contracts.checkout import FORWARD_STEPS
from tests.e2e.breakage import frozen
from tests.e2e.shop import Shop
from tests.e2e.shopper import ADDRESS, PRICE, euros
from tests.platform_process import Platform

ALL_STEPS = [str(step) for step in FORWARD_STEPS]


def states_of(checkout: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in checkout["steps"]}


async def test_a_guest_buys_a_cart(shop: Shop) -> None:
    sku, guest = await shop.sells(on_hand=5), shop.guest
    cart = await guest.cart_with(sku, quantity=2)

    answer = await guest.buy(cart)

    assert answer.status == 201, answer.raw
    checkout = answer.body
    assert checkout["id"] == checkout["order_id"]
    assert answer.headers["location"] == f"/v1/checkouts/{checkout['id']}"
    assert (checkout["state"], checkout["total"]) == ("confirmed", euros(2 * PRICE))
    assert states_of(checkout) == dict.fromkeys(ALL_STEPS, "completed")
    assert all(step["attempts"] == 1 and step["finished_at"] for step in checkout["steps"])
    order = (await guest.get(f"/v1/orders/{checkout['id']}", checkout["access_token"])).body
    assert (order["state"], order["shipping_address"]) == ("confirmed", ADDRESS | {"line2": None})
    assert order["items"][0]["line_total"] == euros(2 * PRICE)
    assert await shop.stock(sku) == (5, 2)
    assert await shop.held_for(checkout["id"]) == [2 * PRICE]
    await guest.finds(cart, {})


async def test_a_customers_own_cart_is_bought_by_its_name(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 3)

    answer = await customer.buy("mine")

    assert answer.status == 201, answer.raw
    assert "access_token" not in answer.body
    assert [order["id"] for order in await customer.orders()] == [answer.body["id"]]


@pytest.mark.parametrize("card", ["tok_declined", "tok_insufficient_funds"])
async def test_a_declined_buyer_pays_with_another_card(shop: Shop, card: str) -> None:
    sku, guest = await shop.sells(on_hand=1), shop.guest
    cart = await guest.cart_with(sku)

    declined = await guest.buy(cart, card=card)

    assert declined.problem == (402, "payments.declined")
    rejected, token = declined.body["checkout_id"], declined.body["access_token"]
    refused = (await guest.get(f"/v1/checkouts/{rejected}", token)).body
    assert (refused["state"], refused["refusal"]) == ("rejected", "payments.declined")
    assert await shop.stock(sku) == (1, 0)
    assert await guest.quantities(cart) == {sku: 1}
    again = await guest.buy(cart)
    assert again.status == 201, again.raw
    assert again.body["id"] != refused["id"]


async def test_trouble_at_the_provider_charges_nobody_twice(shop: Shop) -> None:
    """The charge happens and its answer is lost; an error at first; an answer after 5 seconds."""
    sku = await shop.sells()

    async def bought(card: str) -> list[int]:
        answer = await shop.guest.see_through(await shop.guest.cart_with(sku), card=card)
        assert answer.status == 201, (card, answer.raw)
        return await shop.held_for(answer.body["id"])

    cards = ("tok_timeout", "tok_error_once", "tok_slow")
    assert await asyncio.gather(*map(bought, cards)) == [[PRICE]] * 3


async def test_what_is_out_of_stock_is_refused_whole(shop: Shop) -> None:
    plenty, scarce, guest = await shop.sells(9), await shop.sells(1), shop.guest
    cart = await guest.cart_with(plenty, scarce, quantity=2)

    answer = await guest.buy(cart)

    assert answer.problem == (409, "inventory.out_of_stock")
    assert answer.body["errors"] == [{"at": scarce, "message": "2 wanted, 1 available"}]
    assert [await shop.stock(plenty), await shop.stock(scarce)] == [(9, 0), (1, 0)]


async def test_a_cart_is_bought_from_a_second_time(shop: Shop) -> None:
    first, second, guest = await shop.sells(), await shop.sells(), shop.guest
    cart = await guest.cart_with(first)
    one = await guest.buy(cart)
    await guest.finds(cart, {})
    await guest.put(cart, second, 2)

    two = await guest.buy(cart)

    assert (one.status, two.status) == (201, 201)
    assert two.body["total"] == euros(2 * PRICE)
    assert two.body["id"] != one.body["id"]


async def test_a_cart_keeps_what_was_added_while_it_was_bought(shop: Shop, platform: Platform) -> None:
    bought, added, customer = await shop.sells(), await shop.sells(), await shop.customer()
    await customer.put("mine", bought, 1)
    async with frozen(platform, "payments-worker"):
        buying = asyncio.create_task(customer.see_through("mine"))
        await customer.running_order()
        await customer.put("mine", added, 2)
        await customer.put("mine", bought, 3)

    assert (await buying).status == 201
    await customer.finds("mine", {added: 2, bought: 2})


async def test_a_new_price_is_shown_before_it_is_charged(shop: Shop) -> None:
    sku, guest = await shop.sells(price=1000), shop.guest
    cart = await guest.cart_with(sku, quantity=2)
    await shop.reprice(sku, 1500)

    refused = await guest.buy(cart)

    assert refused.problem == (409, "checkout.cart_changed")
    shown = (await guest.get(f"/v1/carts/{cart}")).body
    assert (shown["items"][0]["price_changed"], shown["items"][0]["unit_price"]) == (True, euros(1500))
    assert shown["total"] == euros(3000)
    again = await guest.buy(cart)
    assert (again.status, again.body["total"]) == (201, euros(3000))


async def test_a_total_that_was_not_expected_is_not_charged(shop: Shop) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)

    refused = await guest.buy(cart, expected_total=euros(PRICE - 1))

    assert refused.problem == (409, "checkout.cart_changed")
    assert await shop.stock(sku) == (10, 0)
    assert (await guest.buy(cart, expected_total=euros(PRICE))).status == 201


async def test_an_article_that_is_no_longer_sold_is_named(shop: Shop) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)
    assert (await shop.staff.call("DELETE", f"/v1/products/{sku.lower()}")).status == 204

    refused = await guest.buy(cart)

    assert refused.problem == (409, "checkout.cart_changed")
    assert refused.body["errors"] == [{"at": sku, "message": "no longer sold"}]
    assert (await guest.get(f"/v1/carts/{cart}")).body["items"][0]["available"] is False


async def test_a_running_checkout_shows_where_it_is(shop: Shop, platform: Platform) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 1)
    async with frozen(platform, "payments-worker"):
        buying = asyncio.create_task(customer.see_through("mine"))
        checkout = await customer.reaches(await customer.running_order(), "payments.authorize")

    assert checkout["state"] == "running"
    assert states_of(checkout) == {
        "inventory.reserve": "completed",
        "payments.authorize": "running",
        "orders.confirm": "waiting",
    }
    reserved, authorizing, _ = checkout["steps"]
    assert (reserved["attempts"], authorizing["finished_at"]) == (1, None)
    assert reserved["started_at"] <= reserved["finished_at"] <= authorizing["started_at"]
    assert checkout["temporal_url"].endswith(f"/workflows/checkout-{checkout['id']}")
    assert (await buying).status == 201


async def test_a_running_checkout_is_cancelled(shop: Shop, platform: Platform) -> None:
    sku, customer = await shop.sells(on_hand=1), await shop.customer()
    await customer.put("mine", sku, 1)
    async with frozen(platform, "payments-worker"):
        buying = asyncio.create_task(customer.see_through("mine"))
        order_id = await customer.running_order()
        await customer.reaches(order_id, "payments.authorize")
        cancelled = await customer.call("POST", f"/v1/checkouts/{order_id}/cancel")
        assert (cancelled.status, cancelled.body["state"]) == (202, "running")

    assert (await buying).problem == (409, "checkout.cancelled")
    ended = (await customer.get(f"/v1/checkouts/{order_id}")).body
    assert (ended["state"], ended["refusal"]) == ("cancelled", "checkout.cancelled")
    assert (await customer.get(f"/v1/orders/{order_id}")).body["state"] == "cancelled"
    assert await shop.stock(sku) == (1, 0)
    assert await shop.held_for(order_id) == []
    assert (await customer.buy("mine")).status == 201


async def test_a_confirmed_checkout_cannot_be_cancelled(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 1)
    order_id = (await customer.buy("mine")).body["id"]

    refused = await customer.call("POST", f"/v1/checkouts/{order_id}/cancel")

    assert refused.problem == (409, "checkout.already_confirmed")
    assert (await customer.get(f"/v1/orders/{order_id}")).body["state"] == "confirmed"
    assert await shop.stock(sku) == (10, 1)
