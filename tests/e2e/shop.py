"""The shop behind the gateway, as its staff keeps it and an auditor may look into it."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import Any

import aiohttp
from pydantic import SecretStr

from contracts.identity import Role
from runtime.settings import PREFIX, Settings
from sandbox.psp.models import Entry, Kind
from services.auth.factory import open_accounts
from tests.e2e.shopper import PASSWORD, PRICE, Answer, Shopper, answered, euros
from tests.gateway_peers import bearer
from tests.polling import until


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
        stock = await self.staff.read(f"/v1/inventory/{sku}")
        return stock["on_hand"], stock["reserved"]

    async def ship(self, order_id: str) -> Answer:
        """Hand the parcel over, as its packer does once there is one to hand over."""
        body = {"carrier": "DHL", "tracking": f"TRACK-{order_id[:8]}"}
        ship = partial(self.staff.call, "POST", f"/v1/fulfilments/{order_id}/ship", body)
        return await answered(ship, unless=(404,))

    async def deliver(self, order_id: str) -> Answer:
        return await self.staff.call("POST", f"/v1/fulfilments/{order_id}/deliver")

    async def shipment(self, order_id: str) -> dict[str, Any]:
        shipment: dict[str, Any] = (await self.staff.get(f"/v1/fulfilments/{order_id}")).body
        return shipment

    async def refund(self, order_id: str, amount: int | None) -> Answer:
        body = {"reason": "it came broken"} | ({"amount": amount} if amount is not None else {})
        return await self.staff.call("POST", f"/v1/admin/orders/{order_id}/refund", body)

    async def order(self, order_id: str) -> dict[str, Any]:
        """Any order, as the staff sees it."""
        order: dict[str, Any] = await self.staff.read(f"/v1/admin/orders/{order_id}")
        return order

    async def order_in(self, order_id: str, state: str) -> dict[str, Any]:
        """The order, once it is in this state."""
        order: dict[str, Any] = {}

        async def is_so() -> bool:
            order.update(await self.order(order_id))
            return bool(order["state"] == state)

        await until(is_so)
        return order

    async def paid_as(self, order_id: str, state: str) -> None:
        """Return once the order's payment is in this state."""

        async def is_so() -> bool:
            return bool((await self.order(order_id))["payment"]["state"] == state)

        await until(is_so)

    async def settled_state(self, order_id: str) -> str:
        """Whether a cancellation or the parcel won, once both have heard of it."""
        order: dict[str, Any] = {}

        async def is_settled() -> bool:
            order.update(await self.order(order_id))
            asked = order.get("cancellation") or {"state": "refused"}
            return bool(order["state"] == "cancelled") or (
                order["state"] == "shipped" and asked["state"] == "refused"
            )

        await until(is_settled)
        return str(order["state"])

    async def captured_of(self, order_id: str) -> int:
        """What the provider has taken for an order and not given back."""
        moved = Counter[Kind]()
        for entry in await self.ledger():
            if entry.reference == order_id:
                moved[entry.kind] += entry.amount
        return moved[Kind.CAPTURED] - moved[Kind.REFUNDED]

    async def mail_about(self, order_id: str, *, subjects: int) -> None:
        """Return once so many mails about an order have arrived."""

        async def arrived() -> bool:
            sent = await self.staff.read(f"/v1/admin/notifications?order_id={order_id}")
            return [each["state"] for each in sent["items"]] == ["sent"] * subjects

        await until(arrived)

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
