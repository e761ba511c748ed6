"""What notifications asks of its peers."""

from typing import TypeVar

from pydantic import BaseModel

from contracts.auth import MailedToken
from contracts.errors import Kind, Refused, Unavailable
from contracts.orders import OrderContact
from runtime.http_client import ServiceClient
from services.notifications.errors import Bounced

Answer = TypeVar("Answer", bound=BaseModel)


class OrdersPeer:
    """Orders, asked for whom to write to each time that something is sent: no address is kept here."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def contact(self, order_id: str) -> OrderContact:
        """The order's buyer; Bounced when there is no such order, Unavailable when nobody answers."""
        gone = "there is no such order any more, so nobody to write to"
        return await _asked(self._client, f"/internal/orders/{order_id}/contact", OrderContact, gone)


class AuthPeer:
    """Auth, asked for a link's secret each time that one is mailed: none is kept here, or told by events."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def mailed_token(self, mail_id: str) -> MailedToken:
        """The secret and whose it is; Bounced when the link opens nothing any more."""
        gone = "the link was used or has expired, so nobody needs it"
        return await _asked(self._client, f"/internal/mails/{mail_id}/token", MailedToken, gone)


async def _asked(client: ServiceClient, path: str, model: type[Answer], gone: str) -> Answer:
    """The peer's answer; Bounced, for the reason given, where there is nothing any more."""
    try:
        return await client.call("GET", path, model)
    except Refused as error:
        if error.refusal.kind is Kind.NOT_FOUND:
            raise Bounced(gone) from error
        raise
    except Unavailable as error:
        # Without its cause: of an answer that cannot be read, it quotes the address or the secret.
        raise Unavailable(error.detail) from None
