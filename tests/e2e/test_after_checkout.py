"""What follows a confirmed order: parcel, money, mail; cancelling and refunding."""

import asyncio
from collections import Counter

from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE, Shopper
from tests.polling import until

RACES = 50


async def bought(shop: Shop, shopper: Shopper, sku: str, **how: str) -> str:
    """The id of a confirmed order of one unit."""
    answer = await shopper.see_through(await shopper.cart_with(sku), **how)
    assert answer.status == 201, answer.raw
    return str(answer.body["order_id"])


async def test_a_shipped_order_is_paid_its_stock_gone_and_its_buyer_told(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=5), await shop.customer()
    order_id = await bought(shop, customer, sku)

    assert (await shop.ship(order_id)).status == 202
    shipped = await shop.order_in(order_id, "shipped")

    assert shipped["fulfilment"]["state"] == "shipped"
    await shop.paid_as(order_id, "paid")
    assert await shop.captured_of(order_id) == PRICE
    assert await shop.stock(sku) == (4, 0)
    assert (await shop.deliver(order_id)).status == 202
    completed = await shop.order_in(order_id, "completed")
    assert completed["fulfilment"]["state"] == "delivered"
    await shop.mail_about(order_id, subjects=2)


async def test_a_purchase_leaves_the_cart_without_what_was_bought(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    await customer.put("mine", sku, 2)
    assert (await customer.see_through("mine")).status == 201
    await customer.finds("mine", {})
    await customer.put("mine", sku, 1)
    assert (await customer.see_through("mine")).status == 201


async def test_a_cancelled_order_gives_money_and_stock_back(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=5), await shop.customer()
    order_id = await bought(shop, customer, sku)

    cancelled = await customer.call("POST", f"/v1/orders/{order_id}/cancel")

    assert cancelled.status == 202, cancelled.raw
    order = await shop.order_in(order_id, "cancelled")
    assert order["cancellation"]["state"] == "done"
    assert await shop.held_for(order_id) == []
    assert await shop.stock(sku) == (5, 0)
    assert (await shop.ship(order_id)).problem == (409, "fulfilment.wrong_state")
    assert (await customer.call("POST", f"/v1/orders/{order_id}/cancel")).status == 202


async def test_a_shipped_order_cannot_be_cancelled(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    order_id = await bought(shop, customer, sku)
    await shop.ship(order_id)
    await shop.order_in(order_id, "shipped")

    refused = await customer.call("POST", f"/v1/orders/{order_id}/cancel")

    assert refused.problem == (409, "orders.already_shipped")


async def test_somebody_elses_order_cannot_be_cancelled(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    order_id = await bought(shop, customer, sku)
    for stranger in (await shop.customer(), shop.guest):
        refused = await stranger.call("POST", f"/v1/orders/{order_id}/cancel")
        assert refused.problem == (404, "orders.not_found")


async def test_refunds_end_at_what_was_captured(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    order_id = await bought(shop, customer, sku)
    early = await shop.refund(order_id, PRICE)
    assert early.problem == (409, "payments.refund_exceeds_capture")
    await shop.ship(order_id)
    await shop.paid_as(order_id, "paid")

    part = await shop.refund(order_id, 500)
    assert part.status == 202, part.raw
    await shop.paid_as(order_id, "partially_refunded")
    assert (await shop.refund(order_id, PRICE - 499)).problem == (409, "payments.refund_exceeds_capture")
    assert (await shop.refund(order_id, None)).status == 202
    await shop.paid_as(order_id, "refunded")

    assert await shop.captured_of(order_id) == 0
    refunds = (await shop.staff.get(f"/v1/admin/orders/{order_id}")).body["refunds"]
    assert sorted(each["amount"]["amount"] for each in refunds) == [500, PRICE - 500]


async def test_a_parcel_whose_payment_fails_waits_for_a_person(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=5), await shop.customer()
    order_id = await bought(shop, customer, sku, card="tok_capture_fails")

    await shop.ship(order_id)

    async def held() -> bool:
        return bool((await shop.shipment(order_id))["state"] == "held")

    await until(held)
    assert "payments.capture_failed" in (await shop.shipment(order_id))["reason"]
    await shop.paid_as(order_id, "capture_failed")
    assert await shop.stock(sku) == (5, 1)
    assert (await shop.ship(order_id)).status == 202
    await shop.order_in(order_id, "shipped")
    assert await shop.captured_of(order_id) == PRICE


async def test_cancel_and_ship_at_once_end_one_way(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=RACES), await shop.customer()
    orders = [await bought(shop, customer, sku) for _ in range(RACES)]

    async def raced(order_id: str) -> str:
        await asyncio.gather(customer.call("POST", f"/v1/orders/{order_id}/cancel"), shop.ship(order_id))
        return await shop.settled_state(order_id)

    ended = Counter([await raced(order_id) for order_id in orders])

    assert set(ended) <= {"cancelled", "shipped"}
    assert await shop.stock(sku) == (RACES - ended["shipped"], 0)
    for order_id in orders:
        state = await shop.settled_state(order_id)
        assert await shop.captured_of(order_id) == (PRICE if state == "shipped" else 0)
        assert bool(await shop.held_for(order_id)) == (state == "shipped")
