"""The services that orders asks before it takes an order in."""

from contracts.carts import BoughtCart, CartSnapshot, Repricing
from contracts.identity import Identity
from contracts.products import Quote, QuoteRequest, Quotes
from runtime.http_client import ServiceClient

SETTLE_SECONDS = 0.3


class CartsPeer:
    """Carts, asked in the buyer's own name: it decides whose cart this is."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def snapshot(self, cart_id: str, identity: Identity | None) -> CartSnapshot:
        """The cart as it stands; refused as not found where it is somebody else's."""
        return await self._client.call(
            "GET", f"/internal/carts/{cart_id}/snapshot", CartSnapshot, identity=identity
        )

    async def reprice(self, cart_id: str, prices: Repricing, identity: Identity | None) -> CartSnapshot:
        """Show the buyer today's prices. Safe to repeat."""
        return await self._client.call(
            "POST", f"/internal/carts/{cart_id}/prices", CartSnapshot, body=prices, identity=identity
        )

    async def settle(self, bought: BoughtCart) -> None:
        """Have what was bought out of the cart now; else its event will do it. Safe to repeat."""
        await self._client.call(
            "POST", "/internal/carts/settlements", BoughtCart, body=bought, timeout=SETTLE_SECONDS
        )


class ProductsPeer:
    """Products, asked for today's prices, with little patience: a checkout does not depend on it."""

    def __init__(self, client: ServiceClient, timeout_seconds: float) -> None:
        self._client = client
        self._timeout = timeout_seconds

    async def quotes(self, skus: tuple[str, ...]) -> tuple[Quote, ...]:
        """Today's prices of those skus that are sold."""
        answer = await self._client.call(
            "POST", "/internal/quotes", Quotes, body=QuoteRequest(skus=skus), timeout=self._timeout
        )
        return tuple(answer.items)
