"""The shop's staff at their desk: parcels, refunds, and what customers do not see."""

from secrets import token_hex, token_urlsafe

import aiohttp
from pydantic import SecretStr

from api.fulfilment.views import ShipmentView, ShipParcel
from api.inventory.views import StockView
from api.orders.views import RefundBody
from cli.demo.shop import Credentials, Reply, Shop
from contracts.identity import Role
from runtime.settings import Settings
from services.auth.factory import open_accounts


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
        return await self._send("POST", f"/v1/fulfilments/{order_id}/ship", body=parcel)

    async def deliver(self, order_id: str) -> Reply:
        return await self._send("POST", f"/v1/fulfilments/{order_id}/deliver")

    async def refund(self, order_id: str, amount: int, reason: str) -> Reply:
        body = RefundBody(amount=amount, reason=reason)
        return await self._send("POST", f"/v1/admin/orders/{order_id}/refund", body=body)


async def staff_of(settings: Settings, gateway: aiohttp.ClientSession) -> StaffDesk:
    """A member of the staff who works for this one story, signed in."""
    who = Credentials(email=f"grace-{token_hex(4)}@micromart.example", password=token_urlsafe(12))
    async with open_accounts(settings) as accounts:
        await accounts.create_user(who.email, SecretStr(who.password), None, {Role.STAFF})
    desk = StaffDesk(gateway)
    await desk.sign_in(who)
    return desk
