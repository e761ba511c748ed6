"""The shop as its visitors have it: through the gateway, and no other way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from api.auth.views import TokensView, UserView
from api.carts.views import CartView, MergeCart, SetQuantity
from api.inventory.views import StockView
from api.orders.views import CheckoutView, OrderView, PlaceCheckout
from api.pages import Page
from api.products.views import ProductView
from cli.demo.findings import NotShown
from contracts.identity import IDEMPOTENCY_HEADER
from contracts.problems import Problem

Answer = TypeVar("Answer", bound=BaseModel)


class Credentials(BaseModel):
    email: str
    password: str


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    body: bytes
    location: str | None

    def read(self, answer: type[Answer]) -> Answer:
        try:
            return answer.model_validate_json(self.body)
        except ValidationError as error:
            raise NotShown(f"an answer {self.status} that cannot be read as {answer.__name__}") from error

    @property
    def code(self) -> str:
        """The stable code of a refusal; empty where it is none."""
        return self.read(Problem).code if self.status >= 400 else ""

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


class Shop:
    """One visitor of the shop: a guest, or a customer once signed in."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._headers = {"content-type": "application/json"}

    async def register(self, who: Credentials) -> UserView:
        return await self._call("POST", "/v1/auth/register", UserView, body=who, status=201)

    async def sign_in(self, who: Credentials) -> None:
        tokens = await self._call("POST", "/v1/auth/login", TokensView, body=who)
        self._headers["authorization"] = f"Bearer {tokens.access_token}"

    async def search(self, words: str) -> Sequence[ProductView]:
        return (await self._call("GET", "/v1/products", Page[ProductView], query={"q": words})).items

    async def available(self, sku: str) -> int:
        return (await self._call("GET", f"/v1/inventory/{sku}", StockView)).available

    async def new_cart(self) -> CartView:
        return await self._call("POST", "/v1/carts", CartView, status=201)

    async def put(self, cart_id: str, sku: str, quantity: int) -> CartView:
        body = SetQuantity(quantity=quantity)
        return await self._call("PUT", f"/v1/carts/{cart_id}/items/{sku}", CartView, body=body)

    async def cart(self, cart_id: str) -> Reply:
        return await self._send("GET", f"/v1/carts/{cart_id}")

    async def merge(self, cart_id: str) -> CartView:
        return await self._call("POST", "/v1/carts/mine/merge", CartView, body=MergeCart(cart_id=cart_id))

    async def place(self, order: PlaceCheckout, key: str) -> Reply:
        return await self._send("POST", "/v1/checkouts", body=order, headers={IDEMPOTENCY_HEADER: key})

    async def checkout(self, order_id: str) -> CheckoutView:
        return await self._call("GET", f"/v1/checkouts/{order_id}", CheckoutView)

    async def orders(self) -> Sequence[OrderView]:
        return (await self._call("GET", "/v1/orders", Page[OrderView])).items

    async def order(self, order_id: str) -> OrderView:
        return await self._call("GET", f"/v1/orders/{order_id}", OrderView)

    async def cancel(self, order_id: str) -> Reply:
        return await self._send("POST", f"/v1/orders/{order_id}/cancel")

    async def _call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: BaseModel | None = None,
        query: dict[str, str] | None = None,
        status: int = 200,
    ) -> Answer:
        reply = await self._send(method, path, body=body, query=query)
        if reply.status != status:
            raise NotShown(f"{method} {path} answers {status}; found {reply}")
        return reply.read(answer)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        data = body.model_dump_json(exclude_none=True) if body is not None else None
        async with self._session.request(
            method, path, data=data, params=query, headers=self._headers | (headers or {})
        ) as response:
            return Reply(response.status, await response.read(), response.headers.get("location"))


def contents_of(cart: CartView) -> str:
    """What a cart holds, for people."""
    return ", ".join(f"{line.quantity} × {line.title} ({line.sku})" for line in cart.items) or "nothing"
