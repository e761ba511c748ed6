"""A card whose bank asks its owner first: the checkout waits, and the provider's word decides."""

import asyncio

import pytest

from tests.e2e.breakage import frozen
from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE, Answer, Shopper
from tests.platform_process import Platform
from tests.polling import until
from tests.provider_reports import report_about, signed


async def waiting(shop: Shop, shopper: Shopper, sku: str) -> tuple[str, str]:
    """A checkout that waits for its buyer: the order's id and where to act."""
    answer = await shopper.buy(await shopper.cart_with(sku), card="tok_action_required")
    assert answer.status == 202, answer.raw
    steps = {step["name"]: step["state"] for step in answer.body["steps"]}
    assert (steps["inventory.reserve"], steps["payments.authorize"]) == ("completed", "running")
    assert answer.headers["location"].endswith(answer.body["id"])
    order_id = str(answer.body["id"])
    return order_id, str(answer.body["next_action"]["url"])


async def act(shop: Shop, url: str, outcome: str) -> int:
    async with shop.session.post(url, json={"outcome": outcome}) as response:
        return response.status


async def ends(shopper: Shopper, order_id: str, state: str) -> None:
    async def is_so() -> bool:
        return bool((await shopper.get(f"/v1/checkouts/{order_id}")).body["state"] == state)

    await until(is_so)


@pytest.mark.parametrize(
    ("outcome", "state", "held"), [("approve", "confirmed", [PRICE]), ("decline", "rejected", [])]
)
async def test_the_buyers_word_decides(shop: Shop, outcome: str, state: str, held: list[int]) -> None:
    sku, customer = await shop.sells(on_hand=3), await shop.customer()
    order_id, url = await waiting(shop, customer, sku)
    checkout = (await customer.get(f"/v1/checkouts/{order_id}")).body
    assert checkout["state"] == "running"
    assert {step["name"]: step["state"] for step in checkout["steps"]}["payments.authorize"] == "running"
    assert (await customer.get(f"/v1/orders/{order_id}")).body["payment"]["state"] == "action_required"

    assert await act(shop, url, outcome) == 200

    await ends(customer, order_id, state)
    assert await shop.held_for(order_id) == held
    assert await shop.stock(sku) == (3, len(held))


async def test_a_yes_after_the_checkout_was_called_off_holds_nothing(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=3), await shop.customer()
    order_id, url = await waiting(shop, customer, sku)
    await customer.call("POST", f"/v1/checkouts/{order_id}/cancel")
    await ends(customer, order_id, "cancelled")
    cancelled = (await customer.get(f"/v1/orders/{order_id}")).body
    assert (cancelled["state"], cancelled["cancellation"]) == ("cancelled", {"state": "done"})

    assert await act(shop, url, "approve") == 409

    assert await shop.held_for(order_id) == []
    assert await shop.stock(sku) == (3, 0)


async def test_a_yes_that_the_workers_hear_of_late_still_counts(shop: Shop, platform: Platform) -> None:
    sku, customer = await shop.sells(on_hand=3), await shop.customer()
    order_id, url = await waiting(shop, customer, sku)
    async with frozen(platform, "valkey-bus"):
        assert await act(shop, url, "approve") == 200
    await ends(customer, order_id, "confirmed")
    assert await shop.held_for(order_id) == [PRICE]


async def tell(shop: Shop, body: bytes, headers: dict[str, str], provider: str = "sandbox") -> Answer:
    return await shop.guest.call("POST", f"/v1/payments/webhooks/{provider}", data=body, headers=headers)


async def test_a_forged_or_stale_webhook_is_refused_and_a_repeated_one_harmless(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=3), await shop.customer()
    order_id, _ = await waiting(shop, customer, sku)
    before = (await shop.staff.get(f"/v1/admin/payments/{order_id}")).body
    body, secret = report_about(order_id), shop.settings.secret("psp_webhook_secret")

    for headers in (
        {},
        {"PSP-Signature": "t=1,v1=00"},
        signed(body, "not the secret"),
        signed(body, secret, age_seconds=3_600),
        signed(b"{}", secret),
    ):
        assert (await tell(shop, body, headers)).problem == (401, "payments.forged_webhook")
    assert (await shop.staff.get(f"/v1/admin/payments/{order_id}")).body == before
    assert (await tell(shop, body, signed(body, secret), "nobody")).status == 404

    # A true signature under a made-up yes: it is looked up at the provider, who knows of none.
    answers = await asyncio.gather(*(tell(shop, body, signed(body, secret)) for _ in range(5)))
    assert {answer.status for answer in answers} == {204}
    assert (await customer.get(f"/v1/checkouts/{order_id}")).body["state"] == "running"
    await customer.call("POST", f"/v1/checkouts/{order_id}/cancel")
    await ends(customer, order_id, "cancelled")
