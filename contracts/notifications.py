"""What notifications is told, and what it says."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.events import EventData


class NotificationState(StrEnum):
    """An intent to write to somebody; a bounce is final, everything else is tried until it is sent."""

    PENDING = "pending"
    SENT = "sent"
    BOUNCED = "bounced"


class SendNotification(BaseModel):
    """Send this message; what it says and to whom is looked up where it is sent, and travels nowhere."""

    model_config = ConfigDict(frozen=True)

    notification_id: str
    template: str
    order_id: str | None = None

    @property
    def workflow_id(self) -> str:
        return f"notification-{self.notification_id}"


class NotificationChanged(EventData):
    """How a message stands; neither its text nor its address is told."""

    notification_id: str
    template: str
    state: NotificationState
    order_id: str | None = None
    reason: str | None = None


NOTIFICATION_SENT = "notifications.sent"
NOTIFICATION_BOUNCED = "notifications.bounced"
