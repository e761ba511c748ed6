"""Reacting again to what has waited."""

from typing import TYPE_CHECKING

from temporalio import activity

from contracts.errors import DomainError, Kind
from contracts.reactions import Retried, Skip, WaitingReaction

if TYPE_CHECKING:
    from runtime.parking import Parking
    from runtime.reactor import Reactor


class StillFailing(DomainError):
    """The reaction failed again; it is tried until it gets through."""

    code = "reaction.failed"
    kind = Kind.BUSY


class ReactionActivities:
    def __init__(self, reactor: "Reactor[object]", parking: "Parking") -> None:
        self._reactor = reactor
        self._parking = parking

    @activity.defn(name="reactions.retry")
    async def retry(self, waiting: WaitingReaction) -> Retried:
        """React to the first event in line and take it out of it; safe to repeat."""
        first = await self._parking.first(waiting.handler, waiting.subject)
        if first is None:
            return Retried()
        try:
            await self._reactor.react(first.handler, first.event_type, first.body)
        except Exception as error:
            raise StillFailing(f"{first.event_type} {first.event_id}: {error}") from error
        await self._parking.remove(first)
        return Retried(event_type=first.event_type, event_id=first.event_id, more=True)

    @activity.defn(name="reactions.skip")
    async def skip(self, waiting: WaitingReaction, skip: Skip) -> None:
        """Take the event out of the line without reacting, if it is the first one; safe to repeat."""
        first = await self._parking.first(waiting.handler, waiting.subject)
        if first is not None and first.event_id == skip.event_id:
            await self._parking.remove(first)
