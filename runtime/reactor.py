"""Reacting to one event: the same whether it comes from the bus or has waited."""

import asyncio
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from contracts.errors import DomainError
from contracts.events import Event
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.metrics import EVENT_SECONDS
from runtime.reactions import Reaction, Reactions, by_type
from runtime.trace import bind_trace

S = TypeVar("S")
log = get_logger(__name__)

# A reaction that takes longer has failed: others wait behind it.
REACTION_SECONDS = 0.8


class ReactionFailed(Exception):
    """A reaction did not get through; the message says why, for people."""


class ReactionHung(ReactionFailed):
    """It was cut off: others wait behind it."""


class Reactor(Generic[S]):
    """Carries out a service's reactions; each either gets through or raises ReactionFailed."""

    def __init__(
        self,
        target: S,
        reactions: Reactions,
        clock: Clock = utc_now,
        *,
        patience: float = REACTION_SECONDS,
    ) -> None:
        self._target = target
        self._by_type = by_type(reactions)
        self._clock = clock
        self.patience = patience

    def handlers_of(self, event_type: str) -> tuple[str, ...]:
        """Who here reacts to this type; nobody to an unknown one."""
        return tuple(reaction.handler for reaction in self._by_type.get(event_type, ()))

    async def react(self, handler: str, event_type: str, body: str, *, within: float | None = None) -> None:
        """Let one handler react to the event whose envelope this is; safe to repeat."""
        within = self.patience if within is None else within
        reaction = self._reaction(handler, event_type)
        try:
            event = Event.model_validate_json(body)
            heard = reaction.hear(event)
        except ValidationError as error:
            raise ReactionFailed(f"this version cannot read the event: {_problems(error)}") from error
        bind_trace(event.traceparent, event_id=str(event.id), order_id=None)
        try:
            async with asyncio.timeout(within):
                await reaction.react(self._target, heard)
        except TimeoutError as error:
            raise ReactionHung(f"not done within {within} s") from error
        except DomainError as error:
            raise ReactionFailed(f"{error.refusal.code}: {error.refusal.detail}") from error
        except Exception as error:
            # A bug of ours: it waits with its event for the version that mends it, and holds up nobody else.
            log.error("bug in a reaction", handler=handler, event_type=event_type, exc_info=error)
            raise ReactionFailed(f"{type(error).__name__}: {error}") from error
        EVENT_SECONDS.labels(handler).observe((self._clock() - event.time).total_seconds())

    def _reaction(self, handler: str, event_type: str) -> Reaction[S, Any]:
        for reaction in self._by_type.get(event_type, ()):
            if reaction.handler == handler:
                return reaction
        raise ReactionFailed(f"this version has no reaction {handler} to {event_type}")


def _problems(error: ValidationError) -> str:
    """What is wrong and where, without the values, which may be somebody's address."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the envelope'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)[:5]
    )
