"""Shopping through the gateway as people do it, and keeping the shop as its staff does."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import aiohttp
from pydantic import SecretStr

from contracts.identity import Role
from contracts.problems import PROBLEM_JSON
from runtime.settings import PREFIX, Settings
from sandbox.psp.models import Entry, Kind
from services.auth.factory import open_accounts
from tests.gateway_peers import bearer
from tests.polling import until

PASSWORD = "correct horse battery"
PRICE = 1999
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
        data: bytes | None = None,
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

    async def put(self, cart: str, sku: str, quantity: object) -> Answer:
        return await self.call("PUT", f"/v1/carts/{cart}/items/{sku}", {"quantity": quantity})

    async def cart_with(self, *skus: str, quantity: int = 1) -> str:
        """A new cart that holds so many of each."""
        created = await self.call("POST", "/v1/carts")
        assert created.status == 201, created.raw
        cart = str(created.body["id"])
        for sku in skus:
            put = await self.put(cart, sku, quantity)
            assert put.status == 200, put.raw
        return cart

    async def quantities(self, cart: str) -> dict[str, int]:
        """What the cart holds."""
        items = (await self.get(f"/v1/carts/{cart}")).body["items"]
        return {item["sku"]: item["quantity"] for item in items}

    async def buy(
        self, cart: str, key: str | None = None, *, card: str = "tok_ok", **changes: Any
    ) -> Answer:
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
        answer = await self.buy(cart, key, **how)

        async def ended() -> bool:
            nonlocal answer
            if answer.status == 202:
                answer = await self.buy(cart, key, **how)
            return answer.status != 202

        await until(ended, within=60)
        return answer

    async def orders(self) -> list[dict[str, Any]]:
        """The signed-in shopper's newest orders."""
        items: list[dict[str, Any]] = (await self.get("/v1/orders?limit=100")).body["items"]
        return items

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
            checkout.update((await self.get(f"/v1/checkouts/{order_id}")).body)
            return any(one["name"] == step and one["state"] == "running" for one in checkout["steps"])

        await until(at_step)
        return checkout


@dataclass
class Shop:
    """The platform seen by its staff, and by an auditor who may look into the stores."""

    session: aiohttp.ClientSession
    settings: Settings
    staff: Shopper
    acknowledged: set[str]
    skus: list[str] = field(default_factory=list)

    @property
    def guest(self) -> Shopper:
        return Shopper(self.session, self.acknowledged)

    async def customer(self) -> Shopper:
        """A new customer who has signed in."""
        email = f"{token_hex(8)}@example.com"
        registered = await self.guest.call(
            "POST", "/v1/auth/register", {"email": email, "password": PASSWORD}
        )
        assert registered.status == 201, registered.raw
        return await self.signed_in(email)

    async def signed_in(self, email: str) -> Shopper:
        """One more session of a known user."""
        return await _signed_in(self.guest, email)

    async def sells(self, on_hand: int = 10, price: int = PRICE) -> str:
        """A new article, with so many units of it; answers its sku."""
        sku = f"E2E-{token_hex(6).upper()}"
        created = await self.staff.call("POST", "/v1/products", _product(sku, price))
        assert created.status == 201, created.raw
        counted = await self.staff.call("PUT", f"/v1/inventory/{sku}", {"on_hand": on_hand})
        assert counted.status == 200, counted.raw
        self.skus.append(sku)
        return sku

    async def reprice(self, sku: str, price: int) -> None:
        changed = await self.staff.call(
            "PATCH", f"/v1/products/{sku.lower()}", {"variants": _product(sku, price)["variants"]}
        )
        assert changed.status == 200, changed.raw

    async def stock(self, sku: str) -> tuple[int, int]:
        """What is on hand and what is reserved."""
        stock = (await self.staff.get(f"/v1/inventory/{sku}")).body
        return stock["on_hand"], stock["reserved"]

    async def ledger(self) -> list[Entry]:
        """Everything that the payment provider has on record."""
        headers = bearer(self.settings.secret("psp_api_key"))
        async with self.session.get(f"{self.settings.psp_url}/v1/ledger", headers=headers) as response:
            assert response.status == 200
            return [Entry.model_validate(item) for item in (await response.json())["items"]]

    async def held_for(self, order_id: str) -> list[int]:
        """The amounts that the provider holds for an order: authorised and not voided."""
        entries = [entry for entry in await self.ledger() if entry.reference == order_id]
        return held_in(entries)


def held_in(entries: list[Entry]) -> list[int]:
    voided = {entry.authorization_id for entry in entries if entry.kind is Kind.VOIDED}
    authorized = [entry for entry in entries if entry.kind is Kind.AUTHORIZED]
    return [entry.amount for entry in authorized if entry.authorization_id not in voided]


@asynccontextmanager
async def open_shop(environment: Mapping[str, str]) -> AsyncIterator[Shop]:
    """The shop of a running platform, with a staff account of the tests' own and a category to sell in."""
    settings = Settings.model_validate(
        {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}
    )
    # Idle connections are closed on the other side after 5 s: none is used near that moment.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
    async with aiohttp.ClientSession(
        settings.gateway_url, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        email = f"staff-{token_hex(4)}@example.com"
        async with open_accounts(settings) as accounts:
            await accounts.create_user(email, SecretStr(PASSWORD), None, {Role.STAFF})
        acknowledged: set[str] = set()
        staff = await _signed_in(Shopper(session, acknowledged), email)
        await staff.call("POST", "/v1/categories", {"slug": "e2e", "title": "For the tests"})
        yield Shop(session, settings, staff, acknowledged)


async def _signed_in(anyone: Shopper, email: str) -> Shopper:
    login = await anyone.call("POST", "/v1/auth/login", {"email": email, "password": PASSWORD})
    assert login.status == 200, login.raw
    return Shopper(anyone.session, anyone.acknowledged, login.body["access_token"], email)


def _product(sku: str, price: int) -> dict[str, Any]:
    return {
        "slug": sku.lower(),
        "title": f"Article {sku}",
        "description": "Sold to tests only.",
        "category": "e2e",
        "variants": [{"sku": sku, "title": "Standard", "price": euros(price)}],
    }
