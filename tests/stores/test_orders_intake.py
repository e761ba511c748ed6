"""Taking an order in, with peers behind real sockets that answer what the test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from fastapi import FastAPI, Response

from contracts.carts import BoughtCart, CartLine, CartSnapshot, Repricing
from contracts.errors import Unavailable
from contracts.identity import Identity
from contracts.money import Money
from contracts.products import Quote, QuoteRequest, Quotes
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from services.orders.errors import CartChanged, CartInUse, EmptyCart, IdempotencyMismatch
from services.orders.intake import Intake
from services.orders.order import Buyer, KeyRecord, PlaceOrder
from services.orders.peers import CartsPeer, ProductsPeer
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.orders_samples import ADDRESS, EMAIL, NOON, euros
from tests.polling import until
from tests.stores.orders_book import Book, open_book

ADA = Buyer(Identity(subject="ada"), "unused")


@dataclass
class Peers:
    """Carts and products: one cart of mugs, and what a mug costs today (None: products is away)."""

    cart: CartSnapshot
    price: Money | None = field(default_factory=lambda: euros(500))
    sells_mugs: bool = True
    carts_is_away: bool = False
    looks: int = 0
    told: list[Repricing] = field(default_factory=list)
    settled: list[BoughtCart] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/internal/carts/{cart_id}/snapshot", response_model=CartSnapshot)
        async def snapshot(cart_id: str) -> CartSnapshot | Response:
            self.looks += 1
            return Response(status_code=503) if self.carts_is_away else self.cart

        @app.post("/internal/carts/settlements", response_model=BoughtCart)
        async def settle(bought: BoughtCart) -> BoughtCart | Response:
            if self.carts_is_away:
                return Response(status_code=503)
            self.settled.append(bought)
            return bought

        @app.post("/internal/carts/{cart_id}/prices")
        async def reprice(cart_id: str, prices: Repricing) -> CartSnapshot:
            self.told.append(prices)
            return self.cart

        @app.post("/internal/quotes", response_model=Quotes)
        async def quotes(request: QuoteRequest) -> Quotes | Response:
            if self.price is None:
                return Response(status_code=503)
            mug = Quote(sku="MUG", title="A mug", price=self.price, product_id="p1")
            return Quotes(items=(mug,) if self.sells_mugs else ())

        return app


@dataclass(frozen=True)
class Counter:
    """Where orders are taken in."""

    book: Book
    intake: Intake
    peers: Peers

    async def place(
        self, key: str = "key", *, expected: Money | None = None, cart_id: str = "mine"
    ) -> KeyRecord:
        request = PlaceOrder(
            cart_id=cart_id,
            email=EMAIL,
            shipping_address=ADDRESS,
            payment_token="tok_ok",
            expected_total=expected,
        )
        return (await self.intake.place(ADA, key, request)).record

    async def orders(self) -> int:
        return len(await self.book.orders.orders(limit=100))


@pytest.fixture
async def counter(fresh_database: FreshDatabase) -> AsyncIterator[Counter]:
    line = CartLine(sku="MUG", title="A mug", quantity=2, unit_price=euros(500))
    peers = Peers(
        CartSnapshot(
            cart_ref=uuid4().hex, owner="ada", version=1, generation=3, currency="EUR", lines=(line,)
        )
    )
    async with AsyncExitStack() as stack:
        book = await stack.enter_async_context(open_book(fresh_database))
        url = await stack.enter_async_context(serving(peers.app()))
        proof, signer = ServiceProof("secret", "orders"), IdentitySigner("secret")
        carts = await stack.enter_async_context(ServiceClient(url, "carts", proof, signer))
        products = await stack.enter_async_context(ServiceClient(url, "products", proof))
        intake = Intake(book.store, CartsPeer(carts), ProductsPeer(products, 5.0), lambda: NOON)
        yield Counter(book, intake, peers)


async def test_a_request_becomes_one_pending_order(counter: Counter) -> None:
    record = await counter.place()
    order = await counter.book.orders.order(record.order_id)
    assert (order.customer_id, order.email, order.shipping_address) == ("ada", EMAIL, ADDRESS)
    assert (order.cart_ref, order.generation) == (counter.peers.cart.cart_ref, 3)
    assert (order.total, order.created_at) == (euros(1000), NOON)
    assert [event.type for event in await counter.book.events(order.id)] == ["order.placed"]
    assert await counter.book.key(record) == record


async def test_the_same_key_is_the_same_order_whoever_else_is_away(counter: Counter) -> None:
    first = await counter.place()
    counter.peers.carts_is_away = True
    assert await counter.place() == first
    assert await counter.orders() == 1


async def test_copies_of_one_request_at_once_are_one_order(counter: Counter) -> None:
    records = await asyncio.gather(*(counter.place() for _ in range(10)))
    assert len(set(records)) == 1
    assert await counter.orders() == 1


async def test_a_key_is_refused_for_another_request(counter: Counter) -> None:
    await counter.place()
    with pytest.raises(IdempotencyMismatch):
        await counter.place(expected=euros(1000))


async def test_a_cart_that_is_being_bought_refuses_another_key(counter: Counter) -> None:
    first = await counter.place("one")
    with pytest.raises(CartInUse):
        await counter.place("other")
    await counter.book.undone(first.order_id)
    assert (await counter.place("other")).order_id != first.order_id


async def test_a_cart_that_was_bought_a_moment_ago_is_given_time_to_hear_of_it(counter: Counter) -> None:
    first = await counter.place("one")
    await counter.book.confirm(first.order_id)
    second = asyncio.create_task(counter.place("other"))
    looked = counter.peers.looks

    async def looked_again() -> bool:
        return counter.peers.looks > looked + 1

    await until(looked_again)
    counter.peers.cart = counter.peers.cart.model_copy(update={"generation": 4})
    assert (await second).order_id != first.order_id


async def test_a_cart_is_settled_before_its_buyer_is_answered_and_carts_may_be_away(counter: Counter) -> None:
    order = await counter.book.orders.order((await counter.place()).order_id)
    await counter.intake.settle_cart(order)
    assert [bought.order_id for bought in counter.peers.settled] == [order.id]
    counter.peers.carts_is_away = True
    await counter.intake.settle_cart(order)
    assert len(counter.peers.settled) == 1


async def test_keys_at_once_for_one_cart_make_one_order(counter: Counter) -> None:
    answers = await asyncio.gather(
        *(counter.place(f"key-{number}") for number in range(10)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["CartInUse"] * 9 + ["KeyRecord"]
    assert await counter.orders() == 1


async def test_a_refused_request_leaves_its_key_free(counter: Counter) -> None:
    lines = counter.peers.cart.lines
    counter.peers.cart = counter.peers.cart.model_copy(update={"lines": ()})
    with pytest.raises(EmptyCart):
        await counter.place()
    counter.peers.cart = counter.peers.cart.model_copy(update={"lines": lines})
    assert (await counter.place()).order_id


async def test_a_price_that_changed_is_shown_in_the_cart_and_refused(counter: Counter) -> None:
    counter.peers.price = euros(600)
    with pytest.raises(CartChanged):
        await counter.place()
    assert counter.peers.told == [Repricing(prices={"MUG": euros(600)})]
    assert await counter.orders() == 0


async def test_a_new_price_that_the_buyer_names_is_agreed(counter: Counter) -> None:
    counter.peers.price = euros(600)
    record = await counter.place(expected=euros(1200))
    assert (await counter.book.orders.order(record.order_id)).total == euros(1200)
    assert counter.peers.told == []


async def test_what_is_no_longer_sold_is_shown_in_the_cart_and_refused(counter: Counter) -> None:
    counter.peers.sells_mugs = False
    with pytest.raises(CartChanged):
        await counter.place()
    assert counter.peers.told == [Repricing(prices={}, gone=("MUG",))]


async def test_what_is_sold_in_another_currency_now_is_not_sold_to_this_cart(counter: Counter) -> None:
    counter.peers.price = Money(amount=500, currency="USD")
    with pytest.raises(CartChanged):
        await counter.place()
    assert counter.peers.told == [Repricing(prices={}, gone=("MUG",))]
    assert await counter.orders() == 0


async def test_the_carts_own_prices_hold_while_products_is_away(counter: Counter) -> None:
    counter.peers.price = None
    record = await counter.place()
    assert (await counter.book.orders.order(record.order_id)).total == euros(1000)


async def test_an_expected_total_holds_also_while_products_is_away(counter: Counter) -> None:
    counter.peers.price = None
    with pytest.raises(CartChanged):
        await counter.place(expected=euros(999))


async def test_no_order_is_taken_in_while_carts_is_away(counter: Counter) -> None:
    counter.peers.carts_is_away = True
    with pytest.raises(Unavailable):
        await counter.place()
    assert await counter.orders() == 0
