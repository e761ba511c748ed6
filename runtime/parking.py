"""Where events wait whose reaction has failed: in the service's own store, in their order."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pydantic import BaseModel, ValidationError

from runtime.bus import Delivery

# Indexes, workflow ids and documents have their limits; what we say ourselves is far below.
LONGEST_SUBJECT = 200
LONGEST_BODY = 2_000_000
LONGEST_REASON = 1_000
_HASH_LENGTH = 32


# Whom something waits for, and about whom it is: (handler, subject).
Place = tuple[str, str]


@dataclass(frozen=True)
class Parked:
    """One event that waits for one handler; `body` is the envelope as it came, which may be unreadable."""

    handler: str
    subject: str
    event_id: str
    event_type: str
    body: str
    reason: str
    parked_at: datetime


class Parking(Protocol):
    """A service's own record of what waits.

    A subject that has something parked for a handler is parked for it: its later events join at the end, and
    leave in that order.
    """

    async def subjects(self) -> Collection[Place]:
        """All that is parked now."""

    async def among(self, places: Collection[Place]) -> Collection[Place]:
        """Those of these that are parked now; it costs no more when very many others are."""

    async def add(self, parked: Parked) -> None:
        """Put it at the end of its subject's line; safe to repeat, a second time changes nothing."""

    async def first(self, handler: str, subject: str) -> Parked | None:
        """What is to be tried next, or None when nothing waits."""

    async def remove(self, parked: Parked) -> None:
        """It was handled: the next one may come. Safe to repeat."""


def parked_from(delivery: Delivery, handler: str, reason: str, now: datetime) -> Parked:
    """What came over the bus, whatever it is, as any store can hold it."""
    if (length := len(delivery.body)) > LONGEST_BODY:
        reason = f"of its {length} characters only the first {LONGEST_BODY} are kept; {reason}"
    return Parked(
        handler=handler,
        subject=subject_of(delivery),
        event_id=_id_of(delivery),
        event_type=delivery.type,
        body=_text(delivery.body[:LONGEST_BODY]),
        reason=_text(reason)[:LONGEST_REASON],
        parked_at=now,
    )


def subject_of(delivery: Delivery) -> str:
    """The name of its line: the subject itself, or what tells one that is too long from others."""
    subject = _text(delivery.subject)
    if len(subject) <= LONGEST_SUBJECT:
        return subject
    told_apart_by = hashlib.sha256(subject.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{subject[: LONGEST_SUBJECT - _HASH_LENGTH - 1]}~{told_apart_by}"


def line_of(handler: str, subject: str) -> str:
    """A line's name, for a store that keeps it under one."""
    return f"{handler} {subject}"


def handler_and_subject(line: str) -> Place:
    """Whose line it is: no handler has a space in its name; a subject may have."""
    handler, _, subject = line.partition(" ")
    return handler, subject


class _Identified(BaseModel):
    """All that has to be readable of an event for it to be told from others."""

    id: UUID


def _id_of(delivery: Delivery) -> str:
    try:
        return str(_Identified.model_validate_json(delivery.body).id)
    except ValidationError:
        return f"{delivery.stream}/{delivery.entry}"


def _text(value: str) -> str:
    """What any store and any peer takes: no NUL, and nothing that is no character."""
    return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
