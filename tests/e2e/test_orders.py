"""Orders as their buyers and the staff look at them."""

from typing import Any

import pytest

from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE, Answer, Shopper, euros

NOT_FOUND = (404, "orders.not_found")


async def bought(shopper: Shopper, sku: str, card: str = "tok_ok") -> Answer:
    return await shopper.see_through(await shopper.cart_with(sku), card=card)


async def all_pages(shopper: Shopper, path: str) -> list[dict[str, Any]]:
    """Every item of a list, by its cursors."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await shopper.get(f"{path}{cursor}")).body
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


async def test_an_order_shows_what_was_bought(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    order_id = (await bought(customer, sku)).body["id"]

    order = (await customer.get(f"/v1/orders/{order_id}")).body

    assert (order["id"], order["state"], order["total"]) == (order_id, "confirmed", euros(PRICE))
    assert [(item["sku"], item["quantity"]) for item in order["items"]] == [(sku, 1)]
    assert order["payment"] == {"state": "authorized"}
    assert order["fulfilment"]["state"] in {"none", "open"}, "its parcel is opened once fulfilment has heard"
    assert order["created_at"].endswith("Z")


async def test_a_buyers_orders_come_in_pages_newest_first(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    placed = [(await bought(customer, sku)).body["id"] for _ in range(3)]

    first = (await customer.get("/v1/orders?limit=2")).body
    everything = await all_pages(customer, "/v1/orders?limit=2")

    assert len(first["items"]) == 2
    assert [order["id"] for order in everything] == placed[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x"])
async def test_a_page_has_a_size_within_reason(shop: Shop, query: str) -> None:
    customer = await shop.customer()
    assert (await customer.get(f"/v1/orders?{query}")).problem == (422, "request.invalid")


async def test_a_cursor_of_somebody_elses_making_is_refused(shop: Shop) -> None:
    customer = await shop.customer()
    assert (await customer.get("/v1/orders?cursor=x")).problem == (422, "request.invalid_cursor")


@pytest.mark.parametrize("path", ["/v1/orders/{}", "/v1/checkouts/{}"])
async def test_an_order_is_shown_to_its_buyer_and_the_staff_alone(shop: Shop, path: str) -> None:
    sku, customer, guest = await shop.sells(), await shop.customer(), shop.guest
    own = (await bought(customer, sku)).body
    guests = (await bought(guest, sku)).body
    token = guests["access_token"]

    assert (await customer.get(path.format(own["id"]))).status == 200
    assert (await guest.get(path.format(guests["id"]), token)).status == 200
    assert (await shop.staff.get(path.format(own["id"]))).status == 200
    assert (await (await shop.customer()).get(path.format(own["id"]))).problem == NOT_FOUND
    assert (await guest.get(path.format(own["id"]))).problem == NOT_FOUND
    assert (await guest.get(path.format(own["id"]), token)).problem == NOT_FOUND
    assert (await guest.get(path.format(guests["id"]), "0" * len(token))).problem == NOT_FOUND
    assert (await customer.get(path.format(guests["id"]))).problem == NOT_FOUND


async def test_somebody_elses_checkout_cannot_be_cancelled(shop: Shop) -> None:
    order_id = (await bought(await shop.customer(), await shop.sells())).body["id"]
    stranger = await shop.customer()

    assert (await stranger.call("POST", f"/v1/checkouts/{order_id}/cancel")).problem == NOT_FOUND


async def test_a_rejected_order_stays_visible_with_its_reason(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    declined = await bought(customer, sku, "tok_declined")
    order_id = declined.body["checkout_id"]

    order = (await customer.get(f"/v1/orders/{order_id}")).body
    checkout = (await customer.get(f"/v1/checkouts/{order_id}")).body

    assert (order["state"], order["payment"]) == ("rejected", {"state": "none"})
    refused = next(step for step in checkout["steps"] if step["state"] == "refused")
    assert (refused["name"], refused["detail"]) == ("payments.authorize", "payments.declined")
    undone = {step["name"]: step["state"] for step in checkout["steps"]}
    assert undone["inventory.release"] == "completed"


async def test_the_staff_finds_orders_by_their_state(shop: Shop) -> None:
    sku, customer = await shop.sells(), await shop.customer()
    confirmed = (await bought(customer, sku)).body["id"]
    rejected = (await bought(customer, sku, "tok_declined")).body["checkout_id"]

    found = await all_pages(shop.staff, "/v1/admin/orders?state=confirmed&limit=50")

    ids = {order["id"] for order in found}
    assert confirmed in ids
    assert rejected not in ids
    assert {order["state"] for order in found} == {"confirmed"}
    assert (await shop.staff.get(f"/v1/admin/orders/{rejected}")).body["state"] == "rejected"
