"""What notifications asks of its peers."""

from contracts.auth import MailedToken
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


class AuthPeer:
    """Auth, asked for a link's secret each time that one is mailed: none is kept here, or told by events."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def mailed_token(self, mail_id: str) -> MailedToken:
        """The secret and whose it is; Bounced when the link opens nothing any more."""
        try:
            return await self._client.call("GET", f"/internal/mails/{mail_id}/token", MailedToken)
        except Refused as error:
            if error.refusal.kind is Kind.NOT_FOUND:
                raise Bounced("the link was used or has expired, so nobody needs it") from error
            raise
        except Unavailable as error:
            # Without its cause: of an answer that cannot be read, it quotes the secret.
            raise Unavailable(error.detail) from None
