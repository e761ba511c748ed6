"""What carts asks of its peers."""

from contracts.errors import Unavailable
from contracts.products import Quote, QuoteRequest, Quotes
from runtime.http_client import ServiceClient
from services.carts.errors import UnknownSku

QUOTE_SECONDS = 1.5


class Products:
    """The catalog, asked for what a sku is called and costs now."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def quote(self, sku: str) -> Quote:
        """The sku's quote, UnknownSku when nothing is sold under it, Unavailable when nobody answers."""
        try:
            quotes = await self._client.call(
                "POST", "/internal/quotes", Quotes, body=QuoteRequest(skus=(sku,)), timeout=QUOTE_SECONDS
            )
        except Unavailable as error:
            raise Unavailable("the catalog cannot be asked for this article, try again") from error
        for quote in quotes.items:
            if quote.sku == sku:
                return quote
        raise UnknownSku(f"there is no article {sku}")
