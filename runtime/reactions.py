"""What a service does when it hears of something: one line for each in its worker's list."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from contracts.events import Event, Facts

S = TypeVar("S")
F = TypeVar("F", bound=Facts)


@dataclass(frozen=True)
class Heard(Generic[F]):
    """An event as one handler hears it, with the facts that it uses."""

    handler: str
    event_id: UUID
    type: str
    subject: str
    sequence: int
    time: datetime
    traceparent: str | None
    facts: F


@dataclass(frozen=True)
class Reaction(Generic[S, F]):
    """On this type of event, do that.

    `handler` is the name under which events are deduped, ordered and parked, so it outlives renames in the
    code. Types that must not overtake one another share a handler. `react` gets the service, or whatever
    stands for it, and is safe to repeat.
    """

    handler: str
    event_type: str
    facts: type[F]
    react: Callable[[S, Heard[F]], Awaitable[None]]

    def hear(self, event: Event) -> Heard[F]:
        """The event with this handler's facts; ValidationError where it does not hold them."""
        return Heard(
            handler=self.handler,
            event_id=event.id,
            type=event.type,
            subject=event.subject,
            sequence=event.sequence,
            time=event.time,
            traceparent=event.traceparent,
            facts=self.facts.model_validate(event.data),
        )


Reactions = Sequence[Reaction[Any, Any]]


def by_type(reactions: Reactions) -> dict[str, list[Reaction[Any, Any]]]:
    """The reactions to each type of event, in the order in which they are listed."""
    listed: dict[str, list[Reaction[Any, Any]]] = {}
    for reaction in reactions:
        listed.setdefault(reaction.event_type, []).append(reaction)
    return listed
