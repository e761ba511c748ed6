"""Where events wait whose reaction has failed: in the service's own store, in their order."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Parked:
    """One event that waits for one handler; `body` is the envelope as it came, which may be unreadable."""

    handler: str
    subject: str
    event_id: str
    event_type: str
    body: str
    reason: str
    parked_at: datetime


class Parking(Protocol):
    """A service's own record of what waits.

    A subject that has something parked for a handler is parked for it: its later events join at the end, and
    leave in that order.
    """

    async def subjects(self) -> Collection[tuple[str, str]]:
        """The (handler, subject) pairs that are parked now."""

    async def add(self, parked: Parked) -> None:
        """Put it at the end of its subject's line; safe to repeat, a second time changes nothing."""

    async def first(self, handler: str, subject: str) -> Parked | None:
        """What is to be tried next, or None when nothing waits."""

    async def remove(self, parked: Parked) -> None:
        """It was handled: the next one may come. Safe to repeat."""
