"""What a payment provider must be able to do; the adapters beside this file do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.money import Money

# Stripe's longest answer, a hundred refunds with all the metadata that they may have, is shorter.
MAX_ANSWER_BYTES = 4_194_304


@dataclass(frozen=True)
class Held:
    """The provider holds the amount under this id of its own."""

    provider_id: str


@dataclass(frozen=True)
class Declined:
    """The provider said no, finally, for this key."""

    reason: str


@dataclass(frozen=True)
class ActionRequired:
    """The provider waits for the buyer, who has to act at the URL; asked again, it tells what came of it."""

    provider_id: str
    url: str


Authorization = Held | Declined | ActionRequired


@dataclass(frozen=True)
class Report:
    """What a webhook is about: the provider's own id of the message, and our order."""

    id: str
    order_id: str


class PaymentProvider(Protocol):
    """Calls a provider. Every call is safe to repeat with its key; an outage, a lost or endless answer or a
    key still in flight is raised as Unavailable, which says nothing about what happened."""

    @property
    def name(self) -> str: ...

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization:
        """Ask for the amount; asked again with the same key, the answer is what is true by then."""

    async def find(self, *, key: str) -> Authorization | None:
        """What the provider knows of an authorisation by its key, without asking for one."""

    async def void(self, *, key: str, provider_id: str) -> None:
        """Let go of what is held, or of what the buyer has not acted on yet."""

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> Declined | None:
        """Take what is held; the reason where the provider will not, finally for this key."""

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None: ...

    def report_in(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report | None:
        """What a webhook tells of; None when it is about nothing of ours, or cannot be read. Header names are
        lower case.

        Refused with ForgedWebhook unless the signature holds and is fresh.
        """
