"""Which sessions ended and which signing keys were retired: asked of auth each second, known within two."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from prometheus_client import Gauge

from api.gateway.errors import EndedSessionsUnknown
from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS, ENDED_SESSIONS_PAGE, EndedSessions
from contracts.errors import DomainError, Unavailable
from runtime.http_client import ServiceClient
from runtime.logs import get_logger

log = get_logger(__name__)

POLL_SECONDS = 1.0
# A page of the answer.
FETCH_SECONDS = 2.0
START_SECONDS = 5.0
# Asked again each time: an end is dated before it is committed, and by one of several clocks.
OVERLAP = timedelta(seconds=15)

ENDED = Gauge("micromart_gateway_ended_sessions", "Ended sessions whose access tokens are refused")
LAG = Gauge(
    "micromart_gateway_revocation_lag_seconds", "Since auth last told which sessions have ended; -1: never"
)

# Since when, and where the page begins.
Fetch = Callable[[datetime | None, str | None], Awaitable[EndedSessions]]
RetireKeys = Callable[[frozenset[str]], None]


class Revocations:
    """The ended sessions; without auth it goes on with what it knows, and catches up when auth is back.

    What it hears of keys that were retired it passes on.
    """

    def __init__(
        self, fetch: Fetch, retire_keys: RetireKeys, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._retire_keys = retire_keys
        self._now = now
        # Until when each is remembered, in that order.
        self._ended: dict[str, float] = {}
        self._after: datetime | None = None
        # Of an answer that was not heard to its end: where it goes on, and when it began by auth's clock.
        self._cursor: str | None = None
        self._began_at: datetime | None = None
        self._heard_at: float | None = None
        self._failing = False
        self._polled = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._polling = asyncio.create_task(self._poll_for_ever())
        # Before the first request, what ended before this process began. Auth may start after us, or have
        # much to tell: readiness says so.
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await self._polled.wait()
        ENDED.set_function(lambda: len(self._ended))
        LAG.set_function(self._lag)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait({self._polling})

    def is_ended(self, session: str | None) -> bool:
        """Whether nothing may be opened any more in the name of this session."""
        return session in self._ended

    def end(self, session: str) -> None:
        """Know of an end at once, in this process; the others hear it from auth. Safe to repeat."""
        if session not in self._ended:
            self._ended[session] = self._now() + ENDED_SESSIONS_KEPT_SECONDS

    def ready(self) -> None:
        """EndedSessionsUnknown until all that ended before has been heard once."""
        if self._heard_at is None:
            raise EndedSessionsUnknown("Which sessions have ended is not known here yet.")

    async def poll(self) -> None:
        """Hear what has ended since the last time, page by page; an outage of auth only delays the rest."""
        ended = 0
        try:
            while True:
                async with asyncio.timeout(FETCH_SECONDS):
                    page = await self._fetch(self._after, self._cursor)
                ended += len(page.items)
                if self._take(page):
                    break
        except (DomainError, TimeoutError) as error:
            if not isinstance(error, Unavailable | TimeoutError):
                # Another auth may not take this one's cursor.
                self._cursor = None
            self._note_failure(error)
            return
        if self._failing:
            self._failing = False
            log.info("ended_sessions_heard_again", ended=ended)
        self._forget_old()

    def _take(self, page: EndedSessions) -> bool:
        """Know what a page tells; whether it was the last."""
        for item in page.items:
            self.end(item.session)
        self._retire_keys(page.retired_keys)
        began_at = self._began_at or page.now
        self._cursor = page.next_cursor
        if self._cursor is not None:
            self._began_at = began_at
            return False
        # By the first page's clock: what was committed behind our back, dated earlier, comes with the next.
        self._began_at, self._after = None, began_at - OVERLAP
        self._heard_at = self._now()
        return True

    def _note_failure(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.warning("ended_sessions_not_heard", reason=f"{type(error).__name__}: {error}")

    def _forget_old(self) -> None:
        now = self._now()
        while self._ended:
            oldest = next(iter(self._ended))
            if self._ended[oldest] > now:
                break
            del self._ended[oldest]

    def _lag(self) -> float:
        return self._now() - self._heard_at if self._heard_at is not None else -1.0

    async def _poll_for_ever(self) -> None:
        while True:
            began = self._now()
            try:
                await self.poll()
            except Exception as error:
                # A fault of ours must not leave the edge deaf for good.
                log.error("bug", exc_info=error)
            self._polled.set()
            # A long answer is asked for again while it is new: auth has others to answer in between.
            await asyncio.sleep(max(POLL_SECONDS, self._now() - began))


def ended_at(auth: ServiceClient) -> Fetch:
    """Asks auth itself."""

    async def fetch(after: datetime | None, cursor: str | None) -> EndedSessions:
        asked = {"limit": str(ENDED_SESSIONS_PAGE)}
        if after is not None:
            asked["after"] = after.isoformat()
        if cursor is not None:
            asked["cursor"] = cursor
        path = f"/internal/sessions/ended?{urlencode(asked)}"
        return await auth.call("GET", path, EndedSessions, timeout=FETCH_SECONDS)

    return fetch
