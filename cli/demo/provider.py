"""The payment provider's own books, an outsider's word on what was charged; and the buyer's bank."""

import aiohttp
from pydantic import BaseModel

from cli.demo.findings import NotShown
from contracts.money import Money
from runtime.settings import Settings

_DECLINED = "declined"


class Authorization(BaseModel):
    """An amount held on a card, or one that the card's bank refused to hold, and what became of it."""

    status: str
    amount: int
    captured: int
    refunded: int
    currency: str

    @property
    def total(self) -> Money:
        return self._money(self.amount)

    def __str__(self) -> str:
        held = f"{self._money(self.captured)} captured" if self.captured else f"{self.total} {self.status}"
        return f"{held}, {self._money(self.refunded)} refunded" if self.refunded else held

    def _money(self, amount: int) -> Money:
        return Money(amount=amount, currency=self.currency)


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

    async def books_on(self, order_id: str) -> str:
        """The same, for people."""
        return "; ".join(map(str, await self.held_for(order_id))) or "nothing"

    async def approve(self, url: str) -> int:
        """Say yes on the bank's page, as the buyer who was sent there; answers its status."""
        async with self._session.get(url) as page:
            if page.status != 200:
                raise NotShown(f"the buyer's bank shows its page; found {page.status}")
        async with self._session.post(url, json={"outcome": "approve"}) as answer:
            return answer.status
