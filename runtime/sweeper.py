"""The sweeper: sees to it that what is parked is being retried, however long nobody could be told of it."""

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Iterable
from typing import Protocol

from contracts.errors import Unavailable
from runtime.cancellation import until_set
from runtime.logs import get_logger
from runtime.parking import Parked, Parking

log = get_logger(__name__)

SWEEP_SECONDS = 5.0
PAUSE_SECONDS = 0.5
SWEPT_AT_ONCE = 200
ASKED_AT_ONCE = 8
# What does not fit is not lost: it is in its line, whose turn comes.
NEWS_KEPT = 1_000


class Retries(Protocol):
    """Whoever sees to it that what is parked is tried again until it gets through."""

    async def join(self, parked: Parked) -> None:
        """One more event waits for this handler and subject; Unavailable when nobody could be told."""

    async def ensure(self, first: Parked) -> None:
        """This one waits in front of its line; safe to repeat."""


class Sweeper:
    """Tells at once of what was parked just now, and of every line by turns: who parked it may have died."""

    def __init__(self, parking: Parking, retries: Retries) -> None:
        self._parking = parking
        self._retries = retries
        self._news: deque[Parked] = deque(maxlen=NEWS_KEPT)
        self._woken = asyncio.Event()
        self._last = ("", "")

    def wake(self, parked: Parked) -> None:
        """This one was parked just now; nobody waits until that is told."""
        self._news.append(parked)
        self._woken.set()

    async def run(self) -> None:
        """Sweep for as long as the worker lives; an outage only delays it."""
        swept_at = -SWEEP_SECONDS
        while True:
            try:
                await self.tell()
                if time.monotonic() - swept_at >= SWEEP_SECONDS:
                    await self.sweep()
                    swept_at = time.monotonic()
            except Unavailable as error:
                log.warning("what is parked waits", reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
            await until_set(self._woken, within=SWEEP_SECONDS)

    async def tell(self) -> None:
        """Tell of what was parked since the last time; what cannot be told now is left to the sweep."""
        self._woken.clear()
        while self._news:
            told = [self._news.popleft() for _ in range(min(ASKED_AT_ONCE, len(self._news)))]
            await _all_of(self._retries.join(parked) for parked in told)

    async def sweep(self) -> None:
        """Have the next lines retried; those whose turn it was longest ago come first."""
        lines = sorted(await self._parking.subjects())
        at = bisect_right(lines, self._last)
        turns = [*lines[at:], *lines[:at]][:SWEPT_AT_ONCE]
        for begin in range(0, len(turns), ASKED_AT_ONCE):
            asked = turns[begin : begin + ASKED_AT_ONCE]
            self._last = asked[-1]
            await _all_of(self._ensure(*line) for line in asked)

    async def _ensure(self, handler: str, subject: str) -> None:
        if (first := await self._parking.first(handler, subject)) is not None:
            await self._retries.ensure(first)


async def _all_of(asked: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them, then raise what the first one raised that did."""
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
