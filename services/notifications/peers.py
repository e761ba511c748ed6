"""What notifications asks of its peers."""

from contracts.errors import Kind, Refused, Unavailable
from contracts.orders import OrderContact
from runtime.http_client import ServiceClient
from services.notifications.errors import Bounced


class OrdersPeer:
    """Orders, asked for whom to write to each time that something is sent: no address is kept here."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def contact(self, order_id: str) -> OrderContact:
        """The order's buyer; Bounced when there is no such order, Unavailable when nobody answers."""
        try:
            return await self._client.call("GET", f"/internal/orders/{order_id}/contact", OrderContact)
        except Refused as error:
            if error.refusal.kind is Kind.NOT_FOUND:
                raise Bounced("there is no such order any more, so nobody to write to") from error
            raise
        except Unavailable as error:
            # Without its cause: of an answer that cannot be read, it quotes the address.
            raise Unavailable(error.detail) from None
