"""The staff's trail: what each is about to do, noted before it is done, and then how it ended."""

from datetime import datetime
from uuid import uuid4

from contracts.auth import StaffAction
from runtime.clock import Clock, utc_now
from services.auth.errors import UnknownStaffAction
from services.auth.staff_action_store import NotedAction
from services.auth.store import AuthStore


class StaffActions:
    """Adds to the trail and reads it; nothing in it is ever changed."""

    def __init__(self, store: AuthStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def note(self, action: StaffAction) -> str:
        """Write down what is about to be done; the id for telling its end. A repeat is another entry."""
        noted = NotedAction(id=str(uuid4()), action=action, noted_at=self._clock())
        async with self._store.begin() as tx:
            await tx.staff_actions.add(noted)
        return noted.id

    async def end(self, action_id: str, status: int) -> None:
        """Add the status that an action was answered with. Safe to repeat: the first word stays."""
        async with self._store.begin() as tx:
            if not await tx.staff_actions.exists(action_id):
                raise UnknownStaffAction("there is no such action")
            await tx.staff_actions.end(action_id, status, self._clock())

    async def actions(
        self,
        *,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int,
    ) -> list[NotedAction]:
        """What was done, the newest first; by one actor or in one span of time if asked."""
        async with self._store.begin() as tx:
            return await tx.staff_actions.page(
                actor=actor, since=since, until=until, after=after, limit=limit
            )
