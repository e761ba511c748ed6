"""Notifications' one step: to send."""

from typing import TYPE_CHECKING

from temporalio import activity

from contracts.notifications import NotificationState, SendNotification

if TYPE_CHECKING:
    from services.notifications.delivery import Delivery


class NotificationsActivities:
    def __init__(self, delivery: "Delivery") -> None:
        self._delivery = delivery

    @activity.defn(name="notifications.send")
    async def send(self, command: SendNotification) -> NotificationState:
        """Send it unless it has been. At least once; safe to repeat."""
        return await self._delivery.send(command.notification_id)
