"""What notifications' routes answer."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field

from contracts.notifications import NotificationState

if TYPE_CHECKING:
    from services.notifications.notification import Notification


class NotificationView(BaseModel):
    """A message and how it stands; its text and its address are kept nowhere."""

    id: str
    template: str
    state: NotificationState
    order_id: str | None
    user_id: str | None
    message_id: str
    attempts: int
    last_error: str | None = Field(description="why it bounced, or what the last attempt failed of")
    handed_over: bool = Field(description="whether a workflow sends it, since the first attempt failed")
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, notification: "Notification") -> Self:
        return cls(
            id=notification.id,
            template=notification.template,
            state=notification.state,
            order_id=notification.order_id,
            user_id=notification.user_id,
            message_id=notification.message_id,
            attempts=notification.attempts,
            last_error=notification.last_error,
            handed_over=notification.handed_over,
            created_at=notification.created_at,
            sent_at=notification.sent_at,
        )
