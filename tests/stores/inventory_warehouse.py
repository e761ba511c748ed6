"""Inventory over a database of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from contracts.events import Event
from contracts.inventory import ReleaseStock, ReserveStock, StockLine
from runtime.database import Database
from services.inventory.service import InventoryService
from services.inventory.store import InventoryStore
from tests.conftest import FreshDatabase
from tests.stores.outbox import events_about


@dataclass(frozen=True)
class Warehouse:
    database: Database
    inventory: InventoryService

    async def stocked(self, on_hand: int) -> str:
        """A new sku of which there is so much."""
        sku = f"SKU-{uuid4().hex}"
        await self.inventory.set_on_hand(sku, on_hand)
        return sku

    async def reserve(self, order_id: str, lines: dict[str, int]) -> None:
        asked = tuple(StockLine(sku=sku, quantity=quantity) for sku, quantity in lines.items())
        await self.inventory.reserve(ReserveStock(order_id=order_id, lines=asked))

    async def release(self, order_id: str) -> None:
        await self.inventory.release(ReleaseStock(order_id=order_id))

    async def reserved(self, sku: str) -> int:
        return (await self.inventory.stock_of(sku)).reserved

    async def events(self, sku: str) -> list[Event]:
        return await events_about(self.database, sku)

    async def reasons(self, sku: str) -> list[str]:
        """Why the sku's stock changed, in order."""
        return [str(event.data["reason"]) for event in await self.events(sku)]


def new_order_id() -> str:
    return uuid4().hex


@asynccontextmanager
async def open_warehouse(fresh_database: FreshDatabase) -> AsyncIterator[Warehouse]:
    database = Database(await fresh_database("inventory"), pool_size=10)
    try:
        yield Warehouse(database, InventoryService(InventoryStore(database)))
    finally:
        await database.dispose()
