"""The shop as its visitors have it: through the gateway, and no other way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex, token_urlsafe
from typing import Self, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from api.auth.sessions import SessionView
from api.auth.views import AccountView, TokensView, UserView
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

    @classmethod
    def new(cls, name: str) -> Self:
        """Somebody whom no other story knows."""
        email = f"{name}-{token_hex(4)}@micromart.example"
        return cls(email=email, password=token_urlsafe(12))


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    body: bytes
    location: str | None
    # Of two equal answers, each has an id and a limit of its own.
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)

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

    def __init__(self, session: aiohttp.ClientSession, device: str = "laptop") -> None:
        self._session = session
        self._headers = {"content-type": "application/json", "user-agent": f"Demo ({device})"}
        self.token = ""

    def another(self, token: str = "", *, device: str = "laptop") -> "Shop":
        """Somebody else at the same gateway, with this for a token."""
        visitor = Shop(self._session, device)
        if token:
            visitor.bear(token)
        return visitor

    def bear(self, token: str) -> None:
        """From here on, send this for a token."""
        self.token = token
        self._headers["authorization"] = f"Bearer {token}"

    async def register(self, who: Credentials) -> UserView:
        return await self._call("POST", "/v1/auth/register", UserView, body=who, status=201)

    async def sign_in(self, who: Credentials) -> None:
        # A token that does not hold any more is refused at every door, the way in too.
        self._headers.pop("authorization", None)
        tokens = await self._call("POST", "/v1/auth/login", TokensView, body=who)
        self.bear(tokens.access_token)

    async def me(self) -> AccountView:
        return await self._call("GET", "/v1/auth/me", AccountView)

    async def sessions(self) -> Sequence[SessionView]:
        return (await self._call("GET", "/v1/auth/sessions", Page[SessionView])).items

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
        return await self.ask("GET", f"/v1/carts/{cart_id}")

    async def merge(self, cart_id: str) -> CartView:
        return await self._call("POST", "/v1/carts/mine/merge", CartView, body=MergeCart(cart_id=cart_id))

    async def place(self, order: PlaceCheckout, key: str) -> Reply:
        return await self.ask("POST", "/v1/checkouts", body=order, headers={IDEMPOTENCY_HEADER: key})

    async def checkout(self, order_id: str) -> CheckoutView:
        return await self._call("GET", f"/v1/checkouts/{order_id}", CheckoutView)

    async def orders(self) -> Sequence[OrderView]:
        return (await self._call("GET", "/v1/orders", Page[OrderView])).items

    async def order(self, order_id: str) -> OrderView:
        return await self._call("GET", f"/v1/orders/{order_id}", OrderView)

    async def cancel(self, order_id: str) -> Reply:
        return await self.ask("POST", f"/v1/orders/{order_id}/cancel")

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
        reply = await self.ask(method, path, body=body, query=query)
        if reply.status != status:
            raise NotShown(f"{method} {path} answers {status}; found {reply}")
        return reply.read(answer)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Anything, and whatever the answer is."""
        data = body.model_dump_json(exclude_none=True) if body is not None else None
        async with self._session.request(
            method,
            path,
            data=data,
            params=query,
            headers=self._headers | (headers or {}),
            allow_redirects=False,
        ) as response:
            told = response.headers
            return Reply(response.status, await response.read(), told.get("location"), told)


def contents_of(cart: CartView) -> str:
    """What a cart holds, for people."""
    return ", ".join(f"{line.quantity} × {line.title} ({line.sku})" for line in cart.items) or "nothing"
