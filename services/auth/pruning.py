"""What auth drops: answers after their grace, sessions long over, tokens spent long ago."""

from dataclasses import dataclass
from datetime import timedelta

from runtime.clock import Clock, utc_now
from services.auth.store import AuthStore

# Longer than the gateway asks for ended sessions.
SESSIONS_KEPT = timedelta(days=1)
# A token's reuse is seen so long after it was spent; an older one opens nothing, and ends nothing either.
SPENT_TOKENS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Pruned:
    """How much went."""

    sessions: int
    tokens: int


class SessionPruning:
    """Keeps the tables of sessions from growing for ever, and answers from lying about."""

    def __init__(self, store: AuthStore, *, grace: timedelta, clock: Clock = utc_now) -> None:
        self._store = store
        self._grace = grace
        self._clock = clock

    async def wipe_answers(self) -> int:
        """Drop the answers that no second use is given any more; safe to repeat."""
        async with self._store.begin() as tx:
            return await tx.refresh_tokens.wipe_answers(self._clock() - self._grace)

    async def prune(self) -> Pruned:
        """Drop what is over, a transaction at a time; safe to repeat, and by two at once."""
        now = self._clock()
        sessions = 0
        while True:
            async with self._store.begin() as tx:
                dropped = await tx.sessions.drop_ended(now - SESSIONS_KEPT)
            if dropped == 0:
                break
            sessions += dropped
        async with self._store.begin() as tx:
            return Pruned(sessions, await tx.refresh_tokens.drop_spent(now - SPENT_TOKENS_KEPT))
