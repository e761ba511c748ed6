"""A shipment as the service and its callers see it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from contracts.events import Event
from contracts.fulfilment import Fulfilment, ShipmentChanged, ShipmentSeen, ShipmentState
from contracts.inventory import StockLine


@dataclass(frozen=True)
class Shipment:
    """One order's parcel, whole; `seen` is the newest sequence that its workflow has looked at."""

    order_id: str
    state: ShipmentState
    lines: tuple[StockLine, ...]
    carrier: str | None
    tracking: str | None
    reason: str | None
    reminders: int
    sequence: int
    seen: int
    traceparent: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def opened(
        cls, order_id: str, lines: tuple[StockLine, ...], traceparent: str | None, now: datetime
    ) -> "Shipment":
        """A new parcel, of which no workflow knows yet."""
        return cls(
            order_id=order_id,
            state=ShipmentState.OPEN,
            lines=lines,
            carrier=None,
            tracking=None,
            reason=None,
            reminders=0,
            sequence=1,
            seen=0,
            traceparent=traceparent,
            created_at=now,
            updated_at=now,
        )

    @classmethod
    def tombstone(cls, order_id: str, traceparent: str | None, now: datetime) -> "Shipment":
        """A parcel that was stopped before it was opened: never opened, so that no workflow needs to know."""
        never = cls.opened(order_id, (), traceparent, now)
        return replace(never, state=ShipmentState.STOPPED, seen=never.sequence)

    @property
    def has_news(self) -> bool:
        """Whether the workflow has yet to look at what changed."""
        return self.seen < self.sequence

    def changed(self, now: datetime, **changes: Any) -> "Shipment":
        """The shipment after its next change."""
        return replace(self, sequence=self.sequence + 1, updated_at=now, **changes)

    def fulfilment(self, reminder: timedelta) -> Fulfilment:
        """What the parcel's workflow is given."""
        return Fulfilment(
            order_id=self.order_id, lines=self.lines, reminder=reminder, traceparent=self.traceparent
        )

    def as_seen(self) -> ShipmentSeen:
        """What the workflow sees of it."""
        return ShipmentSeen(state=self.state, reason=self.reason, reminders=self.reminders)

    def event(self, event_type: str) -> Event:
        """The fact that the shipment became what it is now."""
        return Event.of(
            event_type,
            subject=self.order_id,
            sequence=self.sequence,
            time=self.updated_at,
            data=ShipmentChanged(
                order_id=self.order_id,
                state=self.state,
                lines=self.lines,
                carrier=self.carrier,
                tracking=self.tracking,
                reason=self.reason,
            ),
        )
