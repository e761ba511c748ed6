"""What sends: at once where the mail server takes it, by a durable workflow where it does not."""

import asyncio
from datetime import timedelta

from temporalio.service import RPCError

from contracts.errors import DomainError, Unavailable
from runtime.cancellation import until_set
from runtime.logs import get_logger
from services.notifications.delivery import Delivery
from services.notifications.notification import Notification
from services.notifications.service import NotificationsService
from workflows.notifications import Notifications

log = get_logger(__name__)

AT_ONCE = 8
PAUSE_SECONDS = 1.0
# Longer than one attempt can take: afterwards its sender is dead, or Temporal was away too.
LEASE = timedelta(seconds=30)
# Longer than the workflow's longest pause: should it have been ended by hand, it is started anew.
LOOK_AGAIN = timedelta(minutes=10)


class Sender:
    """Takes what was meant and tries it once; what fails then is a workflow's, where it can be seen.

    Several may run at once: what one has claimed is its own until its lease runs out.
    """

    def __init__(
        self,
        service: NotificationsService,
        delivery: Delivery,
        workflows: Notifications,
        *,
        lease: timedelta = LEASE,
        look_again: timedelta = LOOK_AGAIN,
    ) -> None:
        self._service = service
        self._delivery = delivery
        self._workflows = workflows
        self._lease = lease
        self._look_again = look_again

    async def run(self) -> None:
        """Send for as long as the worker lives: at once what this process wrote, all else within a second."""
        written = self._service.written
        while True:
            written.clear()
            try:
                while await self.send_some():
                    pass
            except Unavailable as error:
                log.warning("sending is delayed", reason=error.detail)
            await until_set(written, within=PAUSE_SECONDS)

    async def send_some(self) -> int:
        """Deal with a few that are due; answers how many there were."""
        claimed = await self._service.claim(limit=AT_ONCE, lease=self._lease)
        await asyncio.gather(*(self._deal_with(notification) for notification in claimed))
        return len(claimed)

    async def _deal_with(self, notification: Notification) -> None:
        if notification.handed_over or not await self._sent(notification):
            await self._hand_over(notification)

    async def _sent(self, notification: Notification) -> bool:
        """Try it once; whatever goes wrong with one message holds up no other."""
        try:
            state = await self._delivery.send(notification.id)
        except DomainError as error:
            log.warning("not sent yet", template=notification.template, reason=error.detail)
            return False
        except Exception as error:
            log.error("bug", template=notification.template, exc_info=error)
            return False
        log.info("notification", template=notification.template, state=state)
        return True

    async def _hand_over(self, notification: Notification) -> None:
        try:
            await self._workflows.start(notification.command)
            await self._service.handed_over(notification.id, look_again=self._look_again)
        except (DomainError, RPCError, RuntimeError) as error:
            log.warning(
                "tried again when its lease is over",
                notification_id=notification.id,
                reason=str(error)[:200],
            )
