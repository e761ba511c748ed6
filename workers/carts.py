"""The carts worker: what it hears, and the sweep for carts that were left alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client

from contracts.inventory import STOCK_CHANGED
from contracts.orders import ORDER_CONFIRMED
from contracts.products import PRICE_CHANGED, PRODUCT_CREATED, PRODUCT_UPDATED, REMOVED
from runtime.clock import utc_now
from runtime.logs import get_logger
from runtime.reactions import Reaction
from runtime.settings import Settings
from services.carts.factory import open_carts, open_outbox, open_parking
from services.carts.heard import BoughtFacts, PriceFacts, ProductFacts, RemovedFacts, StockFacts
from services.carts.service import CartService
from workers.events import Hearing, open_events
from workers.process import WorkerParts, run_worker
from workers.rounds import again_and_again

log = get_logger(__name__)

SWEEP_SECONDS = 60.0

HEARS: tuple[Reaction[CartService, Any], ...] = (
    Reaction("carts.settle_bought_cart", ORDER_CONFIRMED, BoughtFacts, CartService.settle_bought),
    Reaction("carts.follow_stock", STOCK_CHANGED, StockFacts, CartService.follow_stock),
    Reaction("carts.follow_catalog", PRODUCT_CREATED, ProductFacts, CartService.follow_product),
    Reaction("carts.follow_catalog", PRODUCT_UPDATED, ProductFacts, CartService.follow_product),
    Reaction("carts.follow_catalog", PRICE_CHANGED, PriceFacts, CartService.follow_price),
    Reaction("carts.follow_catalog", REMOVED, RemovedFacts, CartService.follow_removal),
)


class AbandonedCarts:
    """Looks again and again for customers' carts that were left alone; several may do so at once."""

    def __init__(self, carts: CartService, settings: Settings) -> None:
        self._carts = carts
        self._idle = timedelta(seconds=settings.cart_abandoned_seconds)
        self._pause = min(SWEEP_SECONDS, settings.cart_abandoned_seconds / 4)

    async def run(self) -> None:
        """Sweep for as long as the worker lives; an outage only delays it."""
        await again_and_again("looking for abandoned carts", self._sweep_once, self._pause)

    async def _sweep_once(self) -> None:
        if swept := await self._carts.sweep_abandoned(self._idle, utc_now()):
            log.info("carts were abandoned", carts=swept)


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with (
        open_carts(settings) as carts,
        open_parking(settings) as parking,
        open_outbox(settings) as outbox,
        open_events("carts", settings, client, outbox, Hearing(carts, HEARS, parking)) as events,
    ):
        yield WorkerParts(events.workers, (AbandonedCarts(carts, settings).run, *events.loops))


def main() -> None:
    run_worker("carts", open_worker, needs=lambda _: ["service_secret"])


if __name__ == "__main__":
    main()
