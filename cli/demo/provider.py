"""The payment provider's own books: an outsider's word on what was charged."""

import aiohttp
from pydantic import BaseModel

from cli.demo.findings import NotShown
from contracts.money import Money
from runtime.settings import Settings

_DECLINED = "declined"


class Authorization(BaseModel):
    """An amount held on a card, or one that the card's bank refused to hold."""

    status: str
    amount: int
    currency: str

    def __str__(self) -> str:
        return f"{Money(amount=self.amount, currency=self.currency)} {self.status}"


class _Authorizations(BaseModel):
    items: list[Authorization]


class Provider:
    """Asks the provider, as its customers may, what it knows of an order."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._url = f"{settings.psp_url.rstrip('/')}/v1/authorizations"
        self._headers = {"authorization": f"Bearer {settings.secret('psp_api_key')}"}

    async def held_for(self, order_id: str) -> list[Authorization]:
        """Every amount that was ever held for an order, let go of since or not."""
        async with self._session.get(
            self._url, params={"reference": order_id}, headers=self._headers
        ) as response:
            if response.status != 200:
                raise NotShown(f"the payment provider shows its books; found {response.status}")
            found = _Authorizations.model_validate_json(await response.read())
        return [authorization for authorization in found.items if authorization.status != _DECLINED]
