"""Carts over HTTP: what the contract promises guests, customers and peers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.carts.app import carts_app
from contracts.carts import CartSnapshot, cart_ref_of
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity
from contracts.money import Money
from contracts.problems import PROBLEM_JSON
from contracts.products import Quote, QuoteRequest, Quotes
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from services.carts.connection import connect
from services.carts.store import CartStore
from tests.conftest import Servers
from tests.http_server import serving
from tests.ports import free_port

SECRET = "a secret of the tests"
ORDERS = ServiceProof(SECRET, "orders")
MUG = {"sku": "MUG", "title": "A mug", "unit_price": {"amount": 1250, "currency": "EUR"}}
NOT_FOUND = (404, "carts.not_found")
INVALID = (422, "request.invalid")

catalog = FastAPI()


@catalog.post("/internal/quotes")
async def quotes(request: QuoteRequest) -> Quotes:
    """Sells mugs and dollar mugs."""
    euros, dollars = Money(amount=1250, currency="EUR"), Money(amount=500, currency="USD")
    sold = {"MUG": euros, "RARE-MUG": euros, "DINER-MUG": dollars}
    return Quotes(
        items=tuple(
            Quote(sku=sku, title="A mug", price=sold[sku], product_id="p1")
            for sku in request.skus
            if sku in sold
        )
    )


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    location: str | None
    body: Any

    @property
    def problem(self) -> tuple[int, str]:
        assert self.content_type == PROBLEM_JSON
        return self.status, str(self.body["code"])


@dataclass(frozen=True)
class Client:
    """Somebody who calls the API: a guest, or a customer whom the gateway vouches for."""

    session: aiohttp.ClientSession
    user: str | None = None

    def customer(self) -> "Client":
        return Client(self.session, f"user-{uuid4()}")

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        headers = {SERVICE_HEADER: ORDERS.for_listener("carts")} if path.startswith("/internal") else {}
        if self.user is not None:
            headers[IDENTITY_HEADER] = IdentitySigner(SECRET).sign(Identity(subject=self.user))
        async with self.session.request(method, path, json=body, headers=headers) as response:
            answered = await response.json(content_type=None)
            location = response.headers.get("location")
            return Answer(response.status, response.content_type, location, answered)

    async def get(self, path: str) -> Answer:
        return await self.call("GET", path)

    async def put(self, cart: str, sku: str, quantity: object) -> Answer:
        return await self.call("PUT", f"/v1/carts/{cart}/items/{sku}", {"quantity": quantity})

    async def new_cart(self) -> str:
        return str((await self.call("POST", "/v1/carts")).body["id"])

    async def merge(self, cart: str) -> Answer:
        return await self.call("POST", "/v1/carts/mine/merge", {"cart_id": cart})


@asynccontextmanager
async def open_client(redis_url: str, products_url: str) -> AsyncIterator[Client]:
    settings = Settings(
        identity_secret=SecretStr(SECRET),
        service_secret=SecretStr(SECRET),
        carts_redis_url=SecretStr(redis_url),
        products_url=products_url,
    )
    async with serving(carts_app(settings)) as url, aiohttp.ClientSession(url) as session:
        yield Client(session)


@pytest.fixture(scope="module")
async def guest(servers: Servers) -> AsyncIterator[Client]:
    async with serving(catalog) as products, open_client(servers.carts_redis_url, products) as client:
        yield client


@pytest.fixture(scope="module")
async def without_products(servers: Servers) -> AsyncIterator[Client]:
    """A guest of the same carts while nobody answers for the catalog."""
    async with open_client(servers.carts_redis_url, f"http://127.0.0.1:{free_port()}") as client:
        yield client


async def test_a_new_cart_is_empty_and_says_where_it_is(guest: Client) -> None:
    answer = await guest.call("POST", "/v1/carts")
    assert answer.status == HTTPStatus.CREATED
    assert answer.location == f"/v1/carts/{answer.body['id']}"
    assert answer.body == {
        "id": answer.body["id"],
        "version": 0,
        "items": [],
        "total": {"amount": 0, "currency": "EUR"},
    }


async def test_a_cart_shows_its_lines_and_total(guest: Client) -> None:
    cart = await guest.new_cart()
    put = await guest.put(cart, "MUG", 3)
    line = MUG | {"quantity": 3, "line_total": {"amount": 3750, "currency": "EUR"}}
    total = {"amount": 3750, "currency": "EUR"}
    assert put.body == {"id": cart, "version": 1, "items": [line], "total": total}
    assert (await guest.get(f"/v1/carts/{cart}")).body == put.body


@pytest.mark.parametrize("quantity", [-1, 1000, 1.5, 2.0, "2", True, None])
async def test_what_is_not_a_quantity_is_refused(guest: Client, quantity: object) -> None:
    assert (await guest.put(await guest.new_cart(), "MUG", quantity)).problem == INVALID


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/carts", {"owner": "me"}),
        ("PUT", "/v1/carts/mine/items/MUG", {"quantity": 1, "unit_price": 1}),
        ("POST", "/v1/carts/mine/merge", {"cart_id": "c", "force": True}),
    ],
)
async def test_unknown_fields_are_refused(
    guest: Client, method: str, path: str, body: dict[str, object]
) -> None:
    assert (await guest.customer().call(method, path, body)).problem == INVALID


async def test_a_sku_of_no_such_shape_is_refused(guest: Client) -> None:
    assert (await guest.put(await guest.new_cart(), "no%20sku", 1)).problem == INVALID


async def test_a_sku_that_nobody_sells_is_refused(guest: Client) -> None:
    answer = await guest.put(await guest.new_cart(), "NO-SUCH", 1)
    assert answer.problem == (404, "products.unknown_sku")


async def test_a_second_currency_is_refused(guest: Client) -> None:
    cart = await guest.new_cart()
    await guest.put(cart, "MUG", 1)
    assert (await guest.put(cart, "DINER-MUG", 1)).problem == (422, "carts.mixed_currencies")


async def test_zero_and_delete_take_a_line_out_once(guest: Client) -> None:
    cart = await guest.new_cart()
    await guest.put(cart, "MUG", 1)
    first = await guest.put(cart, "MUG", 0)
    again = await guest.call("DELETE", f"/v1/carts/{cart}/items/MUG")
    assert (first.body["items"], first.body["version"]) == ([], 2)
    assert (again.status, again.body) == (200, first.body)


async def test_a_cart_that_never_was_is_not_found(guest: Client) -> None:
    assert (await guest.get("/v1/carts/no-such-cart")).problem == NOT_FOUND


@pytest.mark.parametrize("cart", ["c" * 65, "no%20cart", "caf%C3%A9"])
async def test_what_cannot_be_a_carts_id_is_refused(guest: Client, cart: str) -> None:
    customer = guest.customer()
    for answer in (
        await customer.get(f"/v1/carts/{cart}"),
        await customer.get(f"/internal/carts/{cart}/snapshot"),
        await customer.merge(cart),
    ):
        assert answer.problem == INVALID


async def test_mine_needs_somebody_signed_in(guest: Client) -> None:
    assert (await guest.get("/v1/carts/mine")).problem == (401, "auth.unauthenticated")


async def test_mine_is_the_same_cart_every_time(guest: Client) -> None:
    customer = guest.customer()
    mine = (await customer.put("mine", "MUG", 2)).body
    assert (await customer.get(f"/v1/carts/{mine['id']}")).body == mine
    assert (await customer.get("/v1/carts/mine")).body == mine


@pytest.mark.parametrize("other_is_signed_in", [True, False])
async def test_a_customers_cart_is_not_found_by_others(guest: Client, other_is_signed_in: bool) -> None:
    customer = guest.customer()
    cart = await customer.new_cart()
    other = guest.customer() if other_is_signed_in else guest
    answers = [
        await other.get(f"/v1/carts/{cart}"),
        await other.put(cart, "MUG", 1),
        await other.call("DELETE", f"/v1/carts/{cart}/items/MUG"),
        await other.get(f"/internal/carts/{cart}/snapshot"),
        await other.call("POST", f"/internal/carts/{cart}/prices", {"prices": {}}),
        await guest.customer().merge(cart),
    ]
    assert [answer.problem for answer in answers] == [NOT_FOUND] * len(answers)


async def test_a_forged_identity_is_refused(guest: Client) -> None:
    forged = IdentitySigner("another secret").sign(Identity(subject="somebody"))
    async with guest.session.get("/v1/carts/mine", headers={IDENTITY_HEADER: forged}) as response:
        assert response.status == HTTPStatus.UNAUTHORIZED


async def test_a_guests_cart_is_merged_once_and_gone(guest: Client) -> None:
    customer, cart = guest.customer(), await guest.new_cart()
    await guest.put(cart, "MUG", 2)
    await customer.put("mine", "MUG", 1)
    merged = await customer.merge(cart)
    assert [item["quantity"] for item in merged.body["items"]] == [3]
    assert (await customer.merge(cart)).body == merged.body
    assert (await guest.get(f"/v1/carts/{cart}")).problem == NOT_FOUND


async def test_merging_needs_somebody_signed_in(guest: Client) -> None:
    assert (await guest.merge(await guest.new_cart())).problem == (401, "auth.unauthenticated")


async def test_without_products_a_filled_cart_still_works(guest: Client, without_products: Client) -> None:
    cart = await guest.new_cart()
    await guest.put(cart, "MUG", 1)
    changed = await without_products.put(cart, "MUG", 4)
    assert (changed.status, changed.body["total"]["amount"]) == (200, 5000)
    assert (await without_products.get(f"/internal/carts/{cart}/snapshot")).status == HTTPStatus.OK


async def test_without_products_a_new_sku_has_to_wait(without_products: Client) -> None:
    answer = await without_products.put(await without_products.new_cart(), "MUG", 1)
    assert answer.problem == (503, "service.unavailable")


async def test_a_snapshot_names_the_cart_without_its_id(guest: Client) -> None:
    cart = await guest.new_cart()
    await guest.put(cart, "MUG", 2)
    answer = await guest.get(f"/internal/carts/{cart}/snapshot")
    snapshot = CartSnapshot.model_validate(answer.body)
    assert cart not in str(answer.body)
    assert (snapshot.cart_ref, snapshot.owner, snapshot.version) == (cart_ref_of(cart), None, 1)
    assert [(line.sku, line.quantity) for line in snapshot.lines] == [("MUG", 2)]


async def test_a_customers_snapshot_names_its_owner(guest: Client) -> None:
    customer = guest.customer()
    mine = (await customer.put("mine", "MUG", 1)).body
    snapshot = CartSnapshot.model_validate((await customer.get("/internal/carts/mine/snapshot")).body)
    assert (snapshot.cart_ref, snapshot.owner) == (cart_ref_of(mine["id"]), customer.user)


async def test_the_buyer_sees_what_a_repricing_found(guest: Client) -> None:
    cart = await guest.new_cart()
    await guest.put(cart, "MUG", 1)
    repricing = {"prices": {"MUG": {"amount": 1300, "currency": "EUR"}}, "gone": ["MUG"]}
    await guest.call("POST", f"/internal/carts/{cart}/prices", repricing)
    item = (await guest.get(f"/v1/carts/{cart}")).body["items"][0]
    assert (item["price_changed"], item["available"], item["unit_price"]["amount"]) == (True, False, 1300)


async def test_the_buyer_sees_that_fewer_can_be_had(guest: Client, servers: Servers) -> None:
    cart = await guest.new_cart()
    await guest.put(cart, "RARE-MUG", 3)
    async with connect(servers.carts_redis_url) as redis:
        await CartStore(redis).follow_stock("RARE-MUG", 2, 1)
    wanted = [
        (await guest.get(f"/v1/carts/{cart}")).body["items"][0],
        (await guest.put(cart, "RARE-MUG", 2)).body["items"][0],
    ]
    assert [(item.get("available"), item.get("available_quantity")) for item in wanted] == [
        (False, 2),
        (None, None),
    ]


async def test_the_internal_routes_are_not_in_the_published_document(guest: Client) -> None:
    document = (await guest.get("/openapi.json")).body
    assert [path for path in document["paths"] if not path.startswith("/v1/carts")] == []


async def test_carts_whose_store_is_down_are_unavailable() -> None:
    closed = free_port()
    async with open_client(f"redis://127.0.0.1:{closed}/0", f"http://127.0.0.1:{closed}") as client:
        answers = [await client.call("POST", "/v1/carts"), await client.get("/readyz")]
    assert [answer.problem for answer in answers] == [(503, "service.unavailable")] * 2
