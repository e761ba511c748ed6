"""The shop's staff at their desks: parcels, refunds, keys, and what customers do not see."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import SecretStr

from api.auth.desk_views import ApiKeyView, CreateApiKey, NewApiKeyView, StaffActionView
from api.fulfilment.views import ShipmentView, ShipParcel
from api.inventory.views import StockView
from api.orders.views import RefundBody
from api.pages import Page
from cli.demo.shop import Credentials, Reply, Shop
from contracts.auth import Scope
from contracts.identity import Role
from runtime.clock import utc_now
from runtime.settings import Settings
from services.auth.factory import open_accounts

# Should the story break off, no key of it is left for long.
KEY_LIFETIME = timedelta(hours=1)

Desk = TypeVar("Desk", bound=Shop)


class StaffDesk(Shop):
    """A visitor who may do more."""

    async def stock(self, sku: str) -> tuple[int, int]:
        """How many are on hand, and how many of them are reserved."""
        stock = await self._call("GET", f"/v1/inventory/{sku}", StockView)
        return stock.on_hand or 0, stock.reserved or 0

    async def shipment(self, order_id: str) -> ShipmentView:
        return await self._call("GET", f"/v1/fulfilments/{order_id}", ShipmentView)

    async def ship(self, order_id: str) -> Reply:
        parcel = ShipParcel(carrier="DHL", tracking=f"{int(order_id[:12], 16):020d}")
        return await self.ask("POST", f"/v1/fulfilments/{order_id}/ship", body=parcel)

    async def deliver(self, order_id: str) -> Reply:
        return await self.ask("POST", f"/v1/fulfilments/{order_id}/deliver")

    async def refund(self, order_id: str, amount: int, reason: str) -> Reply:
        body = RefundBody(amount=amount, reason=reason)
        return await self.ask("POST", f"/v1/admin/orders/{order_id}/refund", body=body)


class AdminDesk(Shop):
    """A visitor who may do still more."""

    async def make_key(self, name: str, scope: Scope) -> NewApiKeyView:
        """A machine's key for this one story, and no longer."""
        body = CreateApiKey(name=name, scopes=frozenset({scope}), expires_at=utc_now() + KEY_LIFETIME)
        return await self._call("POST", "/v1/admin/api-keys", NewApiKeyView, body=body, status=201)

    async def revoke_key(self, key: ApiKeyView) -> Reply:
        return await self.ask("DELETE", f"/v1/admin/api-keys/{key.id}")

    async def trail(self, since: datetime) -> Sequence[StaffActionView]:
        """What the staff did since then, newest first."""
        query = {"from": since.isoformat(), "limit": "100"}
        return (await self._call("GET", "/v1/admin/staff-actions", Page[StaffActionView], query=query)).items


async def hired(settings: Settings, desk: Desk, name: str, role: Role) -> Desk:
    """Somebody who works for this one story, signed in at their desk."""
    who = Credentials.new(name)
    async with open_accounts(settings) as accounts:
        await accounts.create_user(who.email, SecretStr(who.password), None, {role})
    await desk.sign_in(who)
    return desk
