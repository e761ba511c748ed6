"""Looking around and filling carts, through the gateway."""

from typing import Any

from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE, euros
from tests.polling import until


async def test_an_article_is_found_with_what_is_left_of_it(shop: Shop) -> None:
    sku = await shop.sells(on_hand=4)
    guest = shop.guest

    by_slug: dict[str, Any] = {}

    async def is_counted() -> bool:
        by_slug.update((await guest.get(f"/v1/products/{sku.lower()}")).body)
        return by_slug["variants"][0]["available"] is not None

    await until(is_counted)
    by_id = (await guest.get(f"/v1/products/{by_slug['id']}")).body
    found = (await guest.get(f"/v1/products?q={sku}&category=e2e&min_price={PRICE}&max_price={PRICE}")).body

    assert by_slug == by_id
    assert by_slug["variants"] == [{"sku": sku, "title": "Standard", "price": euros(PRICE), "available": 4}]
    assert [item["id"] for item in found["items"]] == [by_slug["id"]]


async def test_articles_come_in_sorted_pages(shop: Shop) -> None:
    prices = [700_000_003, 700_000_001, 700_000_002]
    skus = [await shop.sells(price=price) for price in prices]
    path = "/v1/products?min_price=700000000&max_price=700000009&limit=2&sort="

    cheapest = (await shop.guest.get(f"{path}price")).body
    rest = (await shop.guest.get(f"{path}price&cursor={cheapest['next_cursor']}")).body
    dearest = (await shop.guest.get(f"{path}-price")).body

    def sold(page: dict[str, list[dict[str, str]]]) -> list[str]:
        return [item["slug"].upper() for item in page["items"]]

    assert sold(cheapest) + sold(rest) == [skus[1], skus[2], skus[0]]
    assert sold(dearest) == [skus[0], skus[2]]
    assert rest["next_cursor"] is None


async def test_the_staff_opens_a_category_and_closes_an_article(shop: Shop) -> None:
    sku = await shop.sells()
    shelves = {item["slug"] for item in (await shop.guest.get("/v1/categories")).body["items"]}
    assert "e2e" in shelves
    again = await shop.staff.call("POST", "/v1/categories", {"slug": "e2e", "title": "Again"})
    assert again.problem == (409, "products.category_taken")

    assert (await shop.staff.call("DELETE", f"/v1/products/{sku.lower()}")).status == 204

    gone = await shop.guest.get(f"/v1/products/{sku.lower()}")
    assert gone.problem == (404, "products.not_found")


async def test_an_article_stands_in_a_category_that_there_is(shop: Shop) -> None:
    article = {
        "slug": "nowhere",
        "title": "Nowhere",
        "description": "",
        "category": "no-such-shelf",
        "variants": [{"sku": "NOWHERE", "title": "One", "price": euros(1)}],
    }
    refused = await shop.staff.call("POST", "/v1/products", article)
    assert refused.problem == (422, "products.unknown_category")


async def test_the_staff_counts_and_adjusts_stock_but_not_below_what_is_sold(shop: Shop) -> None:
    sku, guest = await shop.sells(on_hand=5), shop.guest
    await guest.see_through(await guest.cart_with(sku, quantity=3))
    stock = f"/v1/inventory/{sku}"

    below = await shop.staff.call("PUT", stock, {"on_hand": 2})
    taken = await shop.staff.call("POST", f"{stock}/adjustments", {"delta": -3, "reason": "broken"})
    added = await shop.staff.call("POST", f"{stock}/adjustments", {"delta": 7, "reason": "delivery"})

    assert below.problem == taken.problem == (409, "inventory.below_reserved")
    assert added.body == {"sku": sku, "on_hand": 12, "reserved": 3, "available": 9}


async def test_a_guest_fills_and_empties_a_cart(shop: Shop) -> None:
    first, second, guest = await shop.sells(), await shop.sells(price=100), shop.guest
    created = await guest.call("POST", "/v1/carts")
    assert (created.status, created.body["items"], created.body["total"]) == (201, [], euros(0))
    cart = created.body["id"]

    await guest.put(cart, first, 2)
    both = (await guest.put(cart, second, 3)).body
    assert both["total"] == euros(2 * PRICE + 300)
    assert (both["items"][0]["title"], both["items"][0]["line_total"]) == (
        f"Article {first} – Standard",
        euros(2 * PRICE),
    )
    assert both["version"] == 2

    await guest.put(cart, first, 0)
    emptied = await guest.call("DELETE", f"/v1/carts/{cart}/items/{second}")
    assert (emptied.body["items"], emptied.body["total"]) == ([], euros(0))


async def test_what_is_not_sold_cannot_be_put_into_a_cart(shop: Shop) -> None:
    cart = await shop.guest.cart_with()
    assert (await shop.guest.put(cart, "NO-SUCH-SKU", 1)).problem == (404, "products.unknown_sku")
    assert await shop.guest.quantities(cart) == {}


async def test_two_sessions_of_a_customer_share_one_cart(shop: Shop) -> None:
    sku, at_home = await shop.sells(), await shop.customer()
    on_the_road = await shop.signed_in(at_home.email)

    await at_home.put("mine", sku, 2)
    seen = (await on_the_road.get("/v1/carts/mine")).body
    await on_the_road.put("mine", sku, 5)

    assert seen["items"][0]["quantity"] == 2
    assert await at_home.quantities("mine") == {sku: 5}
    assert await at_home.quantities(seen["id"]) == {sku: 5}


async def test_a_guests_cart_joins_the_customers_at_sign_in(shop: Shop) -> None:
    both, only_guests, guest = await shop.sells(), await shop.sells(), shop.guest
    guests = await guest.cart_with(both, only_guests, quantity=2)
    customer = await shop.customer()
    await customer.put("mine", both, 1)

    merged = await customer.call("POST", "/v1/carts/mine/merge", {"cart_id": guests})
    again = await customer.call("POST", "/v1/carts/mine/merge", {"cart_id": guests})

    assert (merged.status, again.status) == (200, 200)
    assert await customer.quantities("mine") == {both: 3, only_guests: 2}
    assert (await guest.get(f"/v1/carts/{guests}")).problem == (404, "carts.not_found")
