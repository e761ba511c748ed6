"""The auth worker's pruning: answers after their grace within half a minute, all else once an hour."""

import asyncio
from collections.abc import Awaitable, Callable

from contracts.errors import Unavailable
from runtime.logs import get_logger
from services.auth.pruning import SessionPruning

log = get_logger(__name__)

WIPE_EVERY_SECONDS = 30.0
PRUNE_EVERY_SECONDS = 3_600.0


class SessionsPruner:
    """Keeps auth's sessions from piling up; an outage only delays it."""

    def __init__(self, pruning: SessionPruning) -> None:
        self._pruning = pruning

    async def wipe(self) -> None:
        """Wipe the answers of spent tokens that nobody is given any more, again and again."""
        await _repeat(WIPE_EVERY_SECONDS, self._wipe_once)

    async def prune(self) -> None:
        """Drop sessions that are over and tokens that were spent long ago, again and again."""
        await _repeat(PRUNE_EVERY_SECONDS, self._prune_once)

    async def _wipe_once(self) -> None:
        await self._pruning.wipe_answers()

    async def _prune_once(self) -> None:
        pruned = await self._pruning.prune()
        log.info("sessions pruned", sessions=pruned.sessions, tokens=pruned.tokens)


async def _repeat(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except Unavailable as error:
            log.warning("pruning sessions is delayed", reason=str(error))
