"""Puts notifications together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.database import Database
from runtime.http_client import ServiceClient
from runtime.migrations import upgrade
from runtime.settings import MissingSetting, Settings
from services.notifications import rules
from services.notifications.delivery import Delivery
from services.notifications.peers import AuthPeer, OrdersPeer
from services.notifications.service import NotificationsService
from services.notifications.smtp import SmtpMailer
from services.notifications.store import NotificationsStore

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class NotificationsParts:
    """What the worker needs: the service, and what sends."""

    service: NotificationsService
    delivery: Delivery


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[NotificationsStore]:
    url = settings.database_url("notifications")
    database = Database(url, pool_size=settings.database_pool_size)
    try:
        yield NotificationsStore(database)
    finally:
        await database.dispose()


@asynccontextmanager
async def open_notifications(settings: Settings) -> AsyncIterator[NotificationsService]:
    """The service over its own database, closed at the end."""
    async with open_store(settings) as store:
        yield NotificationsService(store, _mail_domain(settings))


@asynccontextmanager
async def open_notifications_parts(settings: Settings) -> AsyncIterator[NotificationsParts]:
    """The service together with what sends: it needs a mail server, and peers to ask for addresses."""
    mailer = SmtpMailer.at(settings.secret("smtp_url"))
    domain = _mail_domain(settings)
    async with (
        open_store(settings) as store,
        ServiceClient.between(settings, "notifications", "orders") as orders,
        ServiceClient.between(settings, "notifications", "auth") as auth,
    ):
        delivery = Delivery(
            store,
            OrdersPeer(orders),
            AuthPeer(auth),
            mailer,
            sender=settings.mail_from,
            public_url=settings.public_url,
        )
        yield NotificationsParts(NotificationsService(store, domain), delivery)


async def migrate(settings: Settings) -> list[str]:
    """Bring notifications' database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("notifications"))


def _mail_domain(settings: Settings) -> str:
    domain = rules.domain_of(settings.mail_from)
    if domain is None:
        raise MissingSetting("MICROMART_MAIL_FROM holds no address to write from")
    return domain
