"""What a payment provider must be able to do; the adapters beside this file do it."""

from dataclasses import dataclass
from typing import Protocol

from contracts.money import Money


@dataclass(frozen=True)
class Held:
    """The provider holds the amount under this id of its own."""

    provider_id: str


@dataclass(frozen=True)
class Declined:
    """The provider said no, finally, for this key."""

    reason: str


Authorization = Held | Declined


class PaymentProvider(Protocol):
    """Calls a provider. Every call is safe to repeat with its key; an outage, a lost answer or a key still in
    flight is raised as Unavailable, which says nothing about what happened."""

    @property
    def name(self) -> str: ...

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization: ...

    async def find(self, *, key: str) -> Authorization | None:
        """What the provider knows of an authorisation by its key, without asking for one."""

    async def void(self, *, key: str, provider_id: str) -> None: ...

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> None: ...

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None: ...
