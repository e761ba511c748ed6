"""Shopping through the gateway, as people and their clients do it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from secrets import token_hex
from typing import Any

import aiohttp

from contracts.problems import PROBLEM_JSON
from tests.gateway_peers import bearer
from tests.polling import until

PASSWORD = "correct horse battery"
PRICE = 1999
UNANSWERED = (503, 504)
ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "1 Engine Street",
    "city": "London",
    "postal_code": "N1",
    "country": "GB",
}


def euros(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR"}


def purchase(cart: str, **changes: Any) -> dict[str, Any]:
    """The body of a checkout that goes through, but for what is changed."""
    return {
        "cart_id": cart,
        "email": "ada@example.com",
        "shipping_address": ADDRESS,
        "payment_method": {"token": "tok_ok"},
    } | changes


@dataclass(frozen=True)
class Answer:
    """What came back, to the byte."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code, of an answer that is a problem indeed."""
        assert self.headers["content-type"] == PROBLEM_JSON, (self.status, self.raw)
        assert self.body["status"] == self.status
        return self.status, str(self.body["code"])


async def answered(ask: Callable[[], Awaitable[Answer]], unless: Collection[int] = UNANSWERED) -> Answer:
    """What comes of a request that is safe to repeat, and repeated while its status is one of these."""
    answers: list[Answer] = []

    async def is_answered() -> bool:
        answers.append(await ask())
        return answers[-1].status not in unless

    await until(is_answered)
    return answers[-1]


@dataclass(frozen=True)
class Shopper:
    """Somebody at the gateway: a guest, or with a token a signed-in user."""

    session: aiohttp.ClientSession
    acknowledged: set[str]
    token: str | None = None
    email: str = "guest@example.com"

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | BytesIO | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request: a JSON body, or `data` as it is."""
        given = dict(headers or {})
        if self.token is not None:
            given = bearer(self.token) | given
        if data is not None:
            given = {"content-type": "application/json"} | given
        async with self.session.request(method, path, json=body, data=data, headers=given) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, order_token: str | None = None) -> Answer:
        headers = {"X-Order-Token": order_token} if order_token is not None else {}
        return await self.call("GET", path, headers=headers)

    async def read(self, path: str) -> Any:
        """What stands there, in the end."""
        answer = await answered(lambda: self.get(path))
        assert answer.status == 200, answer.raw
        return answer.body

    async def put(self, cart: str, sku: str, quantity: object) -> Answer:
        return await self.call("PUT", f"/v1/carts/{cart}/items/{sku}", {"quantity": quantity})

    async def cart_with(self, *skus: str, quantity: int = 1) -> str:
        """A new cart that holds so many of each."""
        created = await answered(lambda: self.call("POST", "/v1/carts"))
        assert created.status == 201, created.raw
        cart = str(created.body["id"])
        for sku in skus:
            put = await answered(partial(self.put, cart, sku, quantity))
            assert put.status == 200, put.raw
        return cart

    async def quantities(self, cart: str) -> dict[str, int]:
        """What the cart holds."""
        items = (await self.read(f"/v1/carts/{cart}"))["items"]
        return {item["sku"]: item["quantity"] for item in items}

    async def finds(self, cart: str, quantities: dict[str, int]) -> None:
        """Return once the cart holds just this: it hears of its purchase, which is only hurried up."""

        async def holds() -> bool:
            return await self.quantities(cart) == quantities

        await until(holds)

    async def buy(self, cart: str, key: str | None = None, *, card: str = "tok_ok", **changes: Any) -> Answer:
        """Send one checkout, once."""
        body = purchase(cart, payment_method={"token": card}, **changes)
        headers = {"Idempotency-Key": key or token_hex()}
        answer = await self.call("POST", "/v1/checkouts", body, headers=headers)
        if answer.status == 201:
            self.acknowledged.add(answer.body["order_id"])
        return answer

    async def see_through(self, cart: str, key: str | None = None, **how: Any) -> Answer:
        """Send the checkout again with its key, as a good client does, until it has ended."""
        key = key or token_hex()
        return await answered(lambda: self.buy(cart, key, **how), unless=(202, *UNANSWERED))

    async def orders(self) -> list[dict[str, Any]]:
        """The signed-in shopper's newest orders."""
        items: list[dict[str, Any]] = (await self.read("/v1/orders?limit=100"))["items"]
        return items

    async def newest_order(self) -> str:
        """The id of the order that was placed last, as soon as there is one, however far it has come."""
        found: list[str] = []

        async def placed() -> bool:
            found[:] = [order["id"] for order in await self.orders()]
            return bool(found)

        await until(placed)
        return found[0]

    async def running_order(self) -> str:
        """The id of the order that the shopper is waiting for, as soon as it is there."""
        found: list[str] = []

        async def placed() -> bool:
            found[:] = [order["id"] for order in await self.orders() if order["state"] == "pending"]
            return bool(found)

        await until(placed)
        return found[0]

    async def reaches(self, order_id: str, step: str) -> dict[str, Any]:
        """Wait until the running checkout is at this step; answers the checkout."""
        checkout: dict[str, Any] = {}

        async def at_step() -> bool:
            checkout.update(await self.read(f"/v1/checkouts/{order_id}"))
            return any(one["name"] == step and one["state"] == "running" for one in checkout["steps"])

        await until(at_step)
        return checkout
