"""What costs nothing: no provider takes an amount of zero, so none is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.money import Money
from services.payments.provider import Authorization, Declined, Held, PaymentProvider, Report

NOTHING_HELD = "free"


@dataclass(frozen=True)
class FreeOfCharge:
    """A provider that hears of amounts only; nothing is held, let go or taken where there is none."""

    provider: PaymentProvider

    @property
    def name(self) -> str:
        return self.provider.name

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization:
        if amount.amount == 0:
            return Held(NOTHING_HELD)
        return await self.provider.authorize(key=key, amount=amount, token=token, reference=reference)

    async def find(self, *, key: str) -> Authorization | None:
        return await self.provider.find(key=key)

    async def void(self, *, key: str, provider_id: str) -> None:
        if provider_id != NOTHING_HELD:
            await self.provider.void(key=key, provider_id=provider_id)

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> Declined | None:
        if provider_id == NOTHING_HELD:
            return None
        return await self.provider.capture(key=key, provider_id=provider_id, amount=amount)

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None:
        await self.provider.refund(key=key, provider_id=provider_id, amount=amount)

    def report_in(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report | None:
        return self.provider.report_in(headers, body, now)
