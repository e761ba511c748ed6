"""The notifications worker: what it hears, its workflow and step, the sender."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from temporalio.client import Client
from temporalio.worker import Interceptor

from activities.notifications import NotificationsActivities
from contracts.auth import (
    EMAIL_VERIFICATION_REQUESTED,
    PASSWORD_CHANGED,
    PASSWORD_RESET_REQUESTED,
    USER_REGISTERED,
)
from contracts.carts import CART_ABANDONED
from contracts.fulfilment import SHIPMENT_SHIPPED
from contracts.orders import ORDER_CANCELLED, ORDER_CONFIRMED, ORDER_REJECTED
from contracts.topology import TaskQueue
from runtime.reactions import Reaction
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.notifications.factory import open_notifications_parts
from services.notifications.heard import (
    CartFacts,
    LinkFacts,
    OrderFacts,
    PasswordFacts,
    RegistrationFacts,
    ShipmentFacts,
)
from services.notifications.service import NotificationsService
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker
from workers.sender import Sender
from workflows.notification import NotificationWorkflow
from workflows.notifications import Notifications

TELL_BUYER = "notifications.tell_buyer"
MAIL_LINK = "notifications.mail_link"

HEARS: tuple[Reaction[NotificationsService, Any], ...] = (
    Reaction(TELL_BUYER, ORDER_CONFIRMED, OrderFacts, NotificationsService.tell_of_order),
    Reaction(TELL_BUYER, ORDER_REJECTED, OrderFacts, NotificationsService.tell_of_order),
    Reaction(TELL_BUYER, ORDER_CANCELLED, OrderFacts, NotificationsService.tell_of_order),
    Reaction(
        "notifications.tell_of_shipment",
        SHIPMENT_SHIPPED,
        ShipmentFacts,
        NotificationsService.tell_of_shipment,
    ),
    Reaction("notifications.welcome", USER_REGISTERED, RegistrationFacts, NotificationsService.welcome),
    Reaction(MAIL_LINK, PASSWORD_RESET_REQUESTED, LinkFacts, NotificationsService.mail_link),
    Reaction(MAIL_LINK, EMAIL_VERIFICATION_REQUESTED, LinkFacts, NotificationsService.mail_link),
    Reaction(
        "notifications.tell_of_password",
        PASSWORD_CHANGED,
        PasswordFacts,
        NotificationsService.tell_of_password,
    ),
    Reaction("notifications.remind_of_cart", CART_ABANDONED, CartFacts, NotificationsService.remind_of_cart),
)


@asynccontextmanager
async def open_worker(
    settings: Settings,
    client: Client,
    interceptors: Sequence[Interceptor] = (),
    *,
    sandboxed: bool = False,
) -> AsyncIterator[WorkerParts]:
    async with open_notifications_parts(settings) as parts, AsyncExitStack() as stack:
        events = await stack.enter_async_context(
            open_postgres_events("notifications", settings, client, target=parts.service, reactions=HEARS)
        )
        steps = NotificationsActivities(parts.delivery)
        worker = worker_for(
            client,
            TaskQueue.NOTIFICATIONS,
            activities=[steps.send],
            workflows=[NotificationWorkflow],
            interceptors=interceptors,
            sandboxed=sandboxed,
            remote_activities=True,
        )
        sender = Sender(parts.service, parts.delivery, Notifications(client))
        yield WorkerParts((worker, *events.workers), (sender.run, *events.loops))


def main() -> None:
    run_worker("notifications", open_worker, needs=lambda _: ["service_secret", "smtp_url", "public_url"])


if __name__ == "__main__":
    main()
