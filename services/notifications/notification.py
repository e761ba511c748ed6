"""A notification as the service and its callers see it."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from contracts.events import Event
from contracts.notifications import (
    NOTIFICATION_BOUNCED,
    NOTIFICATION_SENT,
    NotificationChanged,
    NotificationState,
    SendNotification,
)
from services.notifications.rules import Template

_EVENT_OF = {
    NotificationState.SENT: NOTIFICATION_SENT,
    NotificationState.BOUNCED: NOTIFICATION_BOUNCED,
}
# It has one end, and that is the only thing that is ever told of it.
_ONLY = 1


@dataclass(frozen=True)
class Notification:
    """One message: what it is about, how it stands. Neither its text nor its address stands here."""

    id: str
    template: Template
    order_id: str | None
    user_id: str | None
    facts: dict[str, JsonValue]
    message_id: str
    created_at: datetime
    state: NotificationState = NotificationState.PENDING
    attempts: int = 0
    last_error: str | None = None
    handed_over: bool = False
    traceparent: str | None = None
    sent_at: datetime | None = None

    @property
    def command(self) -> SendNotification:
        """What its workflow is given."""
        return SendNotification(
            notification_id=self.id,
            template=self.template,
            order_id=self.order_id,
        )

    def ended(self, state: NotificationState, reason: str | None, now: datetime) -> Event:
        """The fact that it was sent, or never will be."""
        return Event.of(
            _EVENT_OF[state],
            subject=self.id,
            sequence=_ONLY,
            time=now,
            data=NotificationChanged(
                notification_id=self.id,
                template=self.template,
                state=state,
                order_id=self.order_id,
                reason=reason,
            ),
        )


@dataclass(frozen=True)
class Contact:
    """How to reach somebody who has an account."""

    user_id: str
    email: str
