"""Which sessions have ended while their access tokens live: asked of auth each second, known within two."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from urllib.parse import quote

from prometheus_client import Gauge

from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS, EndedSessions
from contracts.errors import DomainError
from runtime.http_client import ServiceClient
from runtime.logs import get_logger

log = get_logger(__name__)

POLL_SECONDS = 1.0
FETCH_SECONDS = 2.0
# Asked again each time: an end is dated before it is committed, and by one of several clocks.
OVERLAP = timedelta(seconds=15)

ENDED = Gauge("micromart_gateway_ended_sessions", "Ended sessions whose access tokens are refused")
LAG = Gauge(
    "micromart_gateway_revocation_lag_seconds", "Since auth last told which sessions have ended; -1: never"
)

Fetch = Callable[[datetime | None], Awaitable[EndedSessions]]


class Revocations:
    """The ended sessions; without auth it goes on with what it knows, and catches up when auth is back."""

    def __init__(self, fetch: Fetch, *, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        # Until when each is remembered, in that order.
        self._ended: dict[str, float] = {}
        self._after: datetime | None = None
        self._heard_at: float | None = None
        self._failing = False
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # Before the first request, what ended before this process began; auth may start after us.
        await self.poll()
        self._polling = asyncio.create_task(self._poll_for_ever())
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

    async def poll(self) -> None:
        """Hear what has ended since the last time; an outage of auth only delays it."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                heard = await self._fetch(self._after)
        except (DomainError, TimeoutError) as error:
            self._note_failure(error)
            return
        for item in heard.items:
            self.end(item.session)
        self._after = heard.now - OVERLAP
        self._heard_at = self._now()
        if self._failing:
            self._failing = False
            log.info("ended_sessions_heard_again", ended=len(heard.items))
        self._forget_old()

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
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.poll()
            except Exception as error:
                # A fault of ours must not leave the edge deaf for good.
                log.error("bug", exc_info=error)


def ended_at(auth: ServiceClient) -> Fetch:
    """Asks auth itself."""

    async def fetch(after: datetime | None) -> EndedSessions:
        since = f"?after={quote(after.isoformat())}" if after is not None else ""
        return await auth.call(
            "GET", f"/internal/sessions/ended{since}", EndedSessions, timeout=FETCH_SECONDS
        )

    return fetch
