"""The auth worker's pruning: answers after their grace within half a minute, all else once an hour."""

from runtime.logs import get_logger
from services.auth.pruning import SessionPruning
from workers.rounds import again_and_again

log = get_logger(__name__)

WIPE_EVERY_SECONDS = 30.0
PRUNE_EVERY_SECONDS = 3_600.0


class SessionsPruner:
    """Keeps auth's sessions from piling up; several may run at once."""

    def __init__(
        self,
        pruning: SessionPruning,
        *,
        wipe_every: float = WIPE_EVERY_SECONDS,
        prune_every: float = PRUNE_EVERY_SECONDS,
    ) -> None:
        self._pruning = pruning
        self._wipe_every = wipe_every
        self._prune_every = prune_every

    async def wipe(self) -> None:
        """Wipe the answers of spent tokens that nobody is given any more, again and again."""
        await again_and_again("wiping answers", self._wipe_once, self._wipe_every)

    async def prune(self) -> None:
        """Drop sessions that are over and tokens that were spent long ago, again and again."""
        await again_and_again("pruning sessions", self._prune_once, self._prune_every)

    async def _wipe_once(self) -> None:
        await self._pruning.wipe_answers()

    async def _prune_once(self) -> None:
        pruned = await self._pruning.prune()
        log.info("sessions pruned", sessions=pruned.sessions, tokens=pruned.tokens)
