"""One key, one order, one answer: Stripe's semantics, through the gateway."""

import asyncio
from secrets import token_hex
from typing import Any

import pytest

from tests.e2e.breakage import frozen
from tests.e2e.shop import Shop
from tests.e2e.shopper import ADDRESS, PRICE, purchase
from tests.platform_process import Platform

TIMES = 10


async def test_one_key_sent_ten_times_at_once_is_one_order_and_one_answer(shop: Shop) -> None:
    sku, guest, key = await shop.sells(), shop.guest, token_hex()
    cart = await guest.cart_with(sku)

    answers = await asyncio.gather(*(guest.see_through(cart, key) for _ in range(TIMES)))

    assert {answer.status for answer in answers} == {201}
    assert len({answer.raw for answer in answers}) == 1
    assert await shop.stock(sku) == (10, 1)
    assert await shop.held_for(answers[0].body["id"]) == [PRICE]


async def test_ten_keys_on_one_cart_are_one_order(shop: Shop) -> None:
    sku, guest = await shop.sells(), shop.guest
    cart = await guest.cart_with(sku)

    answers = await asyncio.gather(*(guest.see_through(cart) for _ in range(TIMES)))

    refused = [answer for answer in answers if answer.status != 201]
    assert len(refused) == TIMES - 1
    # Whoever comes after the purchase finds the cart empty.
    assert {answer.problem for answer in refused} <= {
        (409, "checkout.cart_in_use"),
        (422, "checkout.cart_empty"),
    }
    assert await shop.stock(sku) == (10, 1)


async def test_a_cart_that_is_being_bought_is_in_use(shop: Shop, platform: Platform) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 1)
    async with frozen(platform, "payments-worker"):
        buying = asyncio.create_task(customer.see_through("mine"))
        await customer.running_order()
        assert (await customer.buy("mine")).problem == (409, "checkout.cart_in_use")

    assert (await buying).status == 201


@pytest.mark.parametrize(("card", "status"), [("tok_ok", 201), ("tok_declined", 402)])
async def test_a_finished_key_repeats_its_first_answer(shop: Shop, card: str, status: int) -> None:
    sku, guest, key = await shop.sells(), shop.guest, token_hex()
    cart = await guest.cart_with(sku)
    first = await guest.see_through(cart, key, card=card)
    await shop.reprice(sku, PRICE + 1)

    again = await guest.buy(cart, key, card=card)

    assert first.status == status
    assert (again.status, again.raw) == (status, first.raw)
    assert again.headers["location"] == first.headers["location"]


@pytest.mark.parametrize(
    "change",
    [
        {"email": "eve@example.com"},
        {"payment_method": {"token": "tok_declined"}},
        {"shipping_address": ADDRESS | {"city": "Paris"}},
        {"expected_total": {"amount": PRICE, "currency": "EUR"}},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_key_is_not_for_another_request(shop: Shop, change: dict[str, Any]) -> None:
    sku, guest, key = await shop.sells(), shop.guest, token_hex()
    cart = await guest.cart_with(sku)
    await guest.see_through(cart, key)

    mismatch = await guest.call(
        "POST", "/v1/checkouts", purchase(cart, **change), headers={"Idempotency-Key": key}
    )

    assert mismatch.problem == (422, "idempotency.mismatch")
    assert await shop.stock(sku) == (10, 1)


async def test_a_key_belongs_to_its_guests_cart(shop: Shop) -> None:
    sku, guest, key = await shop.sells(), shop.guest, token_hex()
    carts = [await guest.cart_with(sku), await guest.cart_with(sku)]

    answers = [await guest.see_through(cart, key) for cart in carts]

    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].body["id"] != answers[1].body["id"]


async def test_a_key_belongs_to_its_customer_whatever_the_cart(shop: Shop) -> None:
    sku, customer, key = await shop.sells(), await shop.customer(), token_hex()
    await customer.put("mine", sku, 1)
    first = await customer.see_through("mine", key)

    another = await customer.buy(await customer.cart_with(sku), key)

    assert first.status == 201
    assert another.problem == (422, "idempotency.mismatch")


async def test_a_refused_request_leaves_its_key_free(shop: Shop) -> None:
    sku, guest, key = await shop.sells(), shop.guest, token_hex()
    cart = await guest.cart_with()
    assert (await guest.buy(cart, key)).problem == (422, "checkout.cart_empty")
    assert (await guest.buy(cart, key, email="nobody")).problem == (422, "request.invalid")

    await guest.put(cart, sku, 1)

    assert (await guest.buy(cart, key)).status == 201


async def test_a_decline_belongs_to_its_key_also_after_another_key_has_bought(shop: Shop) -> None:
    sku, guest, key = await shop.sells(), shop.guest, token_hex()
    cart = await guest.cart_with(sku)
    declined = await guest.see_through(cart, key, card="tok_declined")
    assert (await guest.see_through(cart)).status == 201

    again = await guest.buy(cart, key, card="tok_declined")

    assert (again.status, again.raw) == (402, declined.raw)
