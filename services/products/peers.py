"""What products asks of its peers."""

import asyncio
from collections.abc import Mapping, Sequence

from contracts.errors import Unavailable
from contracts.inventory import MAX_STOCK_SKUS, StockLevels, StockQuery
from runtime.http_client import ServiceClient
from runtime.logs import get_logger

log = get_logger(__name__)

STOCK_SECONDS = 0.3


class Inventory:
    """What can be had; a reader of the catalog does not wait long for it."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def available(self, skus: Sequence[str]) -> Mapping[str, int] | None:
        """Units by sku, of those that have a stock record; None when inventory does not answer in time."""
        parts = [skus[start : start + MAX_STOCK_SKUS] for start in range(0, len(skus), MAX_STOCK_SKUS)]
        try:
            answers = await asyncio.gather(*(self._ask(part) for part in parts))
        except Unavailable as error:
            log.warning("stock unknown", reason=error.detail)
            return None
        return {level.sku: level.available for answer in answers for level in answer.items}

    async def _ask(self, skus: Sequence[str]) -> StockLevels:
        return await self._client.call(
            "POST", "/internal/stock", StockLevels, body=StockQuery(skus=tuple(skus)), timeout=STOCK_SECONDS
        )
