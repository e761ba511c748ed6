"""Cancelling, refunding and resuming over HTTP while Temporal is away: the row decides, the answer stands."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from api.orders.app import orders_app
from contracts.checkout import AwaitAction
from contracts.fulfilment import ShipmentState
from contracts.identity import IDENTITY_HEADER, ORDER_TOKEN_HEADER, Identity, Role
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from services.orders.tokens import OrderTokens
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.ports import free_port
from tests.stores.orders_book import Book, open_book

SECRET = "a secret of the tests"
SIGNER = IdentitySigner(SECRET)
ADA, BOB = Identity(subject="ada"), Identity(subject="bob")
STAFF = Identity(subject="sam", roles=frozenset({Role.STAFF}))


@dataclass(frozen=True)
class Counter:
    """The orders API over the book that the test writes in."""

    book: Book
    session: aiohttp.ClientSession

    async def call(
        self,
        method: str,
        path: str,
        caller: Identity | None = None,
        body: object = None,
        **headers: str,
    ) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if caller is not None:
            sent[IDENTITY_HEADER] = SIGNER.sign(caller)
        async with self.session.request(method, path, json=body, headers=sent) as response:
            return response.status, await response.json(content_type=None)

    async def cancel(self, order_id: str, caller: Identity | None = ADA, **headers: str) -> tuple[int, Any]:
        return await self.call("POST", f"/v1/orders/{order_id}/cancel", caller, **headers)

    async def refund(self, order_id: str, body: object, **headers: str) -> tuple[int, Any]:
        return await self.call("POST", f"/v1/admin/orders/{order_id}/refund", STAFF, body, **headers)


@pytest.fixture(scope="module")
async def counter(fresh_database: FreshDatabase) -> AsyncIterator[Counter]:
    async with open_book(fresh_database) as book:
        settings = Settings(
            identity_secret=SecretStr(SECRET),
            service_secret=SecretStr(SECRET),
            order_token_secret=SecretStr(SECRET),
            orders_database_url=SecretStr(book.url),
            temporal_address=f"127.0.0.1:{free_port()}",
        )
        async with serving(orders_app(settings)) as base, aiohttp.ClientSession(base) as session:
            yield Counter(book, session)


@pytest.mark.parametrize("caller", [ADA, STAFF])
async def test_a_confirmed_order_is_asked_to_be_cancelled_by_its_buyer_or_the_staff(
    counter: Counter, caller: Identity
) -> None:
    order_id = await counter.book.confirmed(customer_id="ada")
    for _ in range(2):
        status, order = await counter.cancel(order_id, caller)
        assert (status, order["state"], order["cancellation"]) == (202, "confirmed", {"state": "requested"})
    _, shown = await counter.call("GET", f"/v1/orders/{order_id}", ADA)
    assert shown == order


async def test_a_guest_cancels_with_the_orders_token(counter: Counter) -> None:
    order_id = await counter.book.confirmed(customer_id=None)
    token = OrderTokens(SECRET).token_for(order_id)
    status, order = await counter.cancel(order_id, None, **{ORDER_TOKEN_HEADER: token})
    assert (status, order["cancellation"]["state"]) == (202, "requested")


@pytest.mark.parametrize("caller", [BOB, None])
async def test_somebody_elses_order_cannot_be_cancelled(counter: Counter, caller: Identity | None) -> None:
    order_id = await counter.book.confirmed(customer_id="ada")
    status, problem = await counter.cancel(order_id, caller)
    assert (status, problem["code"]) == (404, "orders.not_found")
    assert (await counter.book.orders.order(order_id)).cancellation_state is None


async def test_a_pending_order_is_called_off(counter: Counter) -> None:
    order_id = await counter.book.placed(customer_id="ada")
    status, order = await counter.cancel(order_id)
    assert (status, order["state"], order["cancellation"]) == (202, "pending", {"state": "requested"})
    assert (await counter.book.orders.order(order_id)).state == "cancelling"


async def test_a_cancelled_order_can_be_cancelled_again(counter: Counter) -> None:
    order_id = await counter.book.cancelled()
    status, order = await counter.cancel(order_id, STAFF)
    assert (status, order["state"], order["cancellation"]) == (202, "cancelled", {"state": "done"})


async def test_a_shipped_order_cannot_be_cancelled(counter: Counter) -> None:
    order_id = await counter.book.confirmed(customer_id="ada")
    await counter.book.hear_shipment(order_id, ShipmentState.SHIPPED, 2)
    status, problem = await counter.cancel(order_id)
    assert (status, problem["code"]) == (409, "orders.already_shipped")


@pytest.mark.parametrize("amount", [300, {"amount": 300, "currency": "EUR"}])
async def test_the_staff_refunds_a_part(counter: Counter, amount: object) -> None:
    order_id = await counter.book.paid()
    status, refund = await counter.refund(order_id, {"amount": amount, "reason": "a scratch"})
    assert (status, refund["order_id"], refund["state"]) == (202, order_id, "requested")
    assert (refund["amount"], refund["reason"]) == ({"amount": 300, "currency": "EUR"}, "a scratch")
    for path in (f"/v1/orders/{order_id}", f"/v1/admin/orders/{order_id}"):
        _, order = await counter.call("GET", path, STAFF)
        assert order["refunds"] == [refund]


async def test_without_an_amount_all_that_is_left_is_refunded(counter: Counter) -> None:
    order_id = await counter.book.paid()
    await counter.refund(order_id, {"amount": 1, "reason": "a scratch"})
    _, rest = await counter.refund(order_id, {"reason": "all of it"})
    assert rest["amount"]["amount"] == 999
    status, problem = await counter.refund(order_id, {"reason": "more"})
    assert (status, problem["code"]) == (409, "payments.refund_exceeds_capture")


async def test_nothing_is_refunded_before_it_was_captured(counter: Counter) -> None:
    status, problem = await counter.refund(await counter.book.confirmed(), {"reason": "impatient"})
    assert (status, problem["code"]) == (409, "payments.refund_exceeds_capture")


async def test_a_refunds_key_is_its_name(counter: Counter) -> None:
    order_id, key = await counter.book.paid(), {"idempotency_key": "k"}
    _, first = await counter.refund(order_id, {"amount": 300, "reason": "a scratch"}, **key)
    status, again = await counter.refund(order_id, {"amount": 300, "reason": "a scratch"}, **key)
    assert (status, again) == (202, first)
    status, problem = await counter.refund(order_id, {"amount": 301, "reason": "a scratch"}, **key)
    assert (status, problem["code"]) == (422, "idempotency.mismatch")
    status, problem = await counter.refund(
        order_id, {"amount": 300, "reason": "a scratch"}, idempotency_key="k" * 256
    )
    assert (status, problem["code"]) == (400, "idempotency.missing")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 201},
        {"reason": "two\nlines"},
        {"reason": "no", "amount": 0},
        {"reason": "no", "amount": -1},
        {"reason": "no", "amount": "1"},
        {"reason": "no", "amount": 1.5},
        {"reason": "no", "amount": True},
        {"reason": "no", "amount": 2**54},
        {"reason": "no", "amount": {"amount": 0, "currency": "EUR"}},
        {"reason": "no", "amount": {"amount": 1}},
        {"reason": "no", "surprise": 1},
    ],
)
async def test_a_refund_of_another_shape_is_refused(counter: Counter, body: object) -> None:
    status, problem = await counter.refund("any", body)
    assert (status, problem["code"]) == (422, "request.invalid")


@pytest.mark.parametrize("path", ["orders/any/refund", "checkouts/any/resume", "checkouts/any/resolve"])
@pytest.mark.parametrize(("caller", "status"), [(None, 401), (ADA, 403)])
async def test_these_are_for_the_staff_alone(
    counter: Counter, path: str, caller: Identity | None, status: int
) -> None:
    body = {"reason": "no", "note": "no"}
    assert (await counter.call("POST", f"/v1/admin/{path}", caller, body))[0] == status


@pytest.mark.parametrize(("what", "body"), [("resume", None), ("resolve", {"note": "paid by hand"})])
async def test_what_needs_no_operator_is_not_helped(counter: Counter, what: str, body: object) -> None:
    for order_id in (await counter.book.placed(), await counter.book.confirmed()):
        status, problem = await counter.call("POST", f"/v1/admin/checkouts/{order_id}/{what}", STAFF, body)
        assert (status, problem["code"]) == (409, "checkout.needs_no_operator")


@pytest.mark.parametrize(("what", "body"), [("resume", None), ("resolve", {"note": "paid by hand"})])
async def test_help_that_temporal_cannot_hear_of_is_refused_for_now(
    counter: Counter, what: str, body: object
) -> None:
    order_id = await counter.book.placed()
    await counter.book.begin_undo(order_id)
    await counter.book.call_operator(order_id, "the void keeps failing")
    status, problem = await counter.call("POST", f"/v1/admin/checkouts/{order_id}/{what}", STAFF, body)
    assert (status, problem["code"]) == (503, "service.unavailable")


async def test_a_buyer_who_has_to_act_is_told_where(counter: Counter) -> None:
    order_id = await counter.book.placed(customer_id="ada")
    _, before = await counter.call("GET", f"/v1/checkouts/{order_id}", ADA)
    assert "next_action" not in before
    await counter.book.orders.await_action(AwaitAction(order_id=order_id, action_url="https://psp.example/1"))
    _, checkout = await counter.call("GET", f"/v1/checkouts/{order_id}", ADA)
    assert checkout["next_action"] == {"type": "redirect", "url": "https://psp.example/1"}
    _, order = await counter.call("GET", f"/v1/orders/{order_id}", ADA)
    assert order["payment"] == {"state": "action_required"}


async def test_a_step_is_shown_whole_and_a_checkout_without_what_it_has_not(counter: Counter) -> None:
    order_id = await counter.book.placed(customer_id="ada")
    await counter.book.orders.await_action(AwaitAction(order_id=order_id, action_url="https://psp.example/1"))
    _, checkout = await counter.call("GET", f"/v1/checkouts/{order_id}", ADA)
    assert {"refusal", "access_token"}.isdisjoint(checkout)
    assert checkout["steps"][0] == {
        "name": "inventory.reserve",
        "state": "completed",
        "attempts": 0,
        "started_at": None,
        "finished_at": None,
        "detail": None,
    }


async def test_an_order_that_nobody_changed_shows_no_change(counter: Counter) -> None:
    order_id = await counter.book.confirmed(customer_id="carl")
    _, page = await counter.call("GET", "/v1/orders", Identity(subject="carl"))
    [order] = page["items"]
    assert (order["id"], order["refunds"]) == (order_id, [])
    assert "cancellation" not in order
