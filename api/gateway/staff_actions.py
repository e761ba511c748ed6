"""The staff's trail at the edge: written down at auth before it is done, its outcome when it is over."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from prometheus_client import Counter

from contracts.auth import StaffAction, StaffActionEnded, StaffActionNoted
from contracts.errors import Refused, Unavailable
from runtime.http_client import ServiceClient
from runtime.logs import get_logger

log = get_logger(__name__)

NOTE_SECONDS = 2.0
# Outcomes wait here while auth is slow; beyond, they are lost and counted: what was done stands noted anyway.
WAITING = 1_000
ATTEMPTS = 3
PAUSE_SECONDS = 0.25
DRAIN_SECONDS = 3.0

_LOST = Counter(
    "micromart_staff_action_outcomes_lost_total", "Staff actions whose outcome auth could not be told"
)


class StaffActionNotNoted(Unavailable):
    """What the staff wants to do cannot be written down, so it is not done."""

    code = "gateway.staff_action_not_noted"


class StaffActions:
    """Writes the trail at auth: nothing is done that is not noted first."""

    def __init__(self, auth: ServiceClient, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        self._auth = auth
        self._drain_seconds = drain_seconds
        self._outcomes: asyncio.Queue[tuple[str, int]] = asyncio.Queue(WAITING)
        self._teller: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._teller = asyncio.create_task(self._tell_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell what is waiting still, for a bounded time."""
        assert self._teller is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._outcomes.join(), self._drain_seconds)
        self._teller.cancel()
        await asyncio.gather(self._teller, return_exceptions=True)
        _LOST.inc(self._outcomes.qsize())

    async def note(self, action: StaffAction) -> str:
        """Write down what is about to be done; the id with which its end is told. Refuses where it cannot."""
        try:
            noted = await self._auth.call(
                "POST", "/internal/staff-actions", StaffActionNoted, body=action, timeout=NOTE_SECONDS
            )
        except Refused as error:
            log.error("auth refuses to note a staff action", code=error.refusal.code, route=action.route)
            raise _not_noted() from error
        except Unavailable as error:
            raise _not_noted() from error
        return noted.id

    def ended(self, action_id: str, status: int) -> None:
        """Tell, soon and at the best of our ability, how a noted action was answered."""
        try:
            self._outcomes.put_nowait((action_id, status))
        except asyncio.QueueFull:
            _LOST.inc()

    async def _tell_all(self) -> None:
        while True:
            action_id, status = await self._outcomes.get()
            try:
                await self._tell(action_id, status)
            except asyncio.CancelledError:
                _LOST.inc()
                raise
            finally:
                self._outcomes.task_done()

    async def _tell(self, action_id: str, status: int) -> None:
        path, outcome = f"/internal/staff-actions/{action_id}/outcome", StaffActionEnded(status=status)
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
            try:
                await self._auth.call("POST", path, StaffActionEnded, body=outcome, timeout=NOTE_SECONDS)
            except Unavailable as error:
                reason = error.detail
            except Refused as error:
                reason = error.refusal.code
                break
            else:
                return
        _LOST.inc()
        log.warning("how a staff action ended is not in the trail", action_id=action_id, reason=reason)


def _not_noted() -> StaffActionNotNoted:
    return StaffActionNotNoted("What the staff does is written down first, and it cannot be now: try again.")
