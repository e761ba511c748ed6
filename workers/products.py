"""The products worker: what it hears."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

from contracts.inventory import STOCK_CHANGED
from runtime.reactions import Reaction
from runtime.settings import Settings
from services.products.factory import open_outbox, open_parking, open_products
from services.products.heard import StockFacts
from services.products.service import ProductsService
from workers.events import Hearing, open_events
from workers.process import WorkerParts, run_worker

HEARS: tuple[Reaction[ProductsService, Any], ...] = (
    Reaction("products.follow_stock", STOCK_CHANGED, StockFacts, ProductsService.follow_stock),
)


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with (
        open_products(settings) as products,
        open_parking(settings) as parking,
        open_outbox(settings) as outbox,
        open_events("products", settings, client, outbox, Hearing(products, HEARS, parking)) as events,
    ):
        yield events


def main() -> None:
    run_worker("products", open_worker, needs=lambda _: ["service_secret"])


if __name__ == "__main__":
    main()
