"""Notifications over a database of its own, a real mail sink, and orders that know only addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from contracts.auth import PASSWORD_CHANGED, USER_REGISTERED, MailedToken
from contracts.carts import CART_ABANDONED
from contracts.errors import Unavailable
from contracts.events import Event
from contracts.fulfilment import SHIPMENT_SHIPPED
from contracts.money import Money
from contracts.notifications import NotificationState
from contracts.orders import ORDER_CONFIRMED, BoughtLine, OrderContact
from runtime.database import Database
from runtime.reactions import by_type
from services.notifications.delivery import Delivery, Mailer
from services.notifications.errors import Bounced
from services.notifications.notification import Notification
from services.notifications.service import NotificationsService
from services.notifications.smtp import SmtpMailer
from services.notifications.store import NotificationsStore
from tests.conftest import FreshDatabase
from tests.mail_sink import MailSink
from tests.stores.outbox import events_about
from workers.notifications import HEARS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SENDER = "MicroMart <shop@micromart.example>"
SHOP = "https://micromart.example"


@dataclass
class Hands:
    """A clock that is moved by hand."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass
class OrderBook:
    """What orders would answer, by order id."""

    contacts: dict[str, OrderContact] = field(default_factory=dict)
    away: bool = False

    async def contact(self, order_id: str) -> OrderContact:
        if self.away:
            raise Unavailable("orders did not answer in time")
        if order_id not in self.contacts:
            raise Bounced("there is no such order any more, so nobody to write to")
        return self.contacts[order_id]

    def order_of(self, email: str) -> str:
        """The id of a new order of this buyer's."""
        order_id = uuid4().hex
        price = Money(amount=3490, currency="EUR")
        line = BoughtLine(title="Moka pot", quantity=2, line_total=price.times(2))
        self.contacts[order_id] = OrderContact(
            email=email, name="Ada Lovelace", lines=(line,), total=price.times(2)
        )
        return order_id


class LinkBook:
    """Auth: the links that open, by their mail's id."""

    def __init__(self) -> None:
        self.links: dict[str, MailedToken] = {}

    async def mailed_token(self, mail_id: str) -> MailedToken:
        if mail_id not in self.links:
            raise Bounced("the link was used or has expired, so nobody needs it")
        return self.links[mail_id]

    def link_of(self, email: str) -> str:
        """The mail's id of a new link of this user's."""
        mail_id = uuid4().hex
        self.links[mail_id] = MailedToken(
            token=SecretStr(f"{mail_id}.secret"), email=email, name="Ada", expires_at=NOON
        )
        return mail_id


@dataclass
class Post:
    database: Database
    store: NotificationsStore
    service: NotificationsService
    delivery: Delivery
    orders: OrderBook
    links: LinkBook
    clock: Hands
    sink: MailSink

    def delivery_by(self, mailer: Mailer) -> Delivery:
        return Delivery(
            self.store,
            self.orders,
            self.links,
            mailer,
            sender=SENDER,
            public_url=SHOP,
            clock=self.clock,
        )

    async def hear(self, event: Event) -> None:
        """What the consumer does with it."""
        for reaction in by_type(HEARS)[event.type]:
            await reaction.react(self.service, reaction.hear(event))

    async def hear_of_order(self, email: str, event_type: str = ORDER_CONFIRMED, **data: Any) -> str:
        """An order of this buyer's came to something; answers its id."""
        order_id = self.orders.order_of(email)
        await self.hear(about_order(order_id, event_type, **data))
        return order_id

    async def claim(self, lease: timedelta = timedelta(seconds=30)) -> list[str]:
        return [one.id for one in await self.service.claim(limit=8, lease=lease)]

    async def about(self, order_id: str) -> Notification:
        """The one notification about an order."""
        (found,) = await self.service.notifications(order_id=order_id, limit=10)
        return found

    async def all(self) -> list[Notification]:
        return await self.service.notifications(limit=100)

    async def told(self, notification: Notification) -> list[Event]:
        """What was said of it to others."""
        return await events_about(self.database, notification.id)

    async def state_of(self, order_id: str) -> NotificationState:
        return (await self.about(order_id)).state


def new_address(prefix: str = "ada") -> str:
    return f"{prefix}-{uuid4().hex[:12]}@example.com"


def event(event_type: str, subject: str, data: dict[str, Any]) -> Event:
    service = event_type.partition(".")[0]
    return Event(
        type=event_type, source=f"/micromart/{service}", subject=subject, sequence=2, time=NOON, data=data
    )


def about_order(order_id: str, event_type: str = ORDER_CONFIRMED, **data: Any) -> Event:
    return event(event_type, order_id, {"order_id": order_id, "customer_id": None, "reason": None} | data)


def shipped(order_id: str, **data: Any) -> Event:
    return event(SHIPMENT_SHIPPED, order_id, {"order_id": order_id, "state": "shipped"} | data)


def registered(user_id: str, email: str, name: str | None = "Ada") -> Event:
    data = {"user_id": user_id, "email": email, "name": name, "registered_at": NOON.isoformat()}
    return event(USER_REGISTERED, user_id, data)


def link_requested(event_type: str, mail_id: str) -> Event:
    user_id = uuid4().hex
    return event(event_type, user_id, {"user_id": user_id, "mail_id": mail_id})


def password_changed(user_id: str) -> Event:
    return event(PASSWORD_CHANGED, user_id, {"user_id": user_id, "changed_at": NOON.isoformat()})


def abandoned(owner: str | None) -> Event:
    line = {
        "sku": "KIT-MOKA-3",
        "title": "Moka pot",
        "quantity": 2,
        "unit_price": {"amount": 3490, "currency": "EUR"},
    }
    return event(CART_ABANDONED, uuid4().hex, {"owner": owner, "lines": [line]})


@asynccontextmanager
async def open_post(fresh_database: FreshDatabase, sink: MailSink) -> AsyncIterator[Post]:
    database = Database(await fresh_database("notifications"), pool_size=10)
    store, clock, orders, links = NotificationsStore(database), Hands(), OrderBook(), LinkBook()
    mailer = SmtpMailer.at(sink.smtp_url)
    delivery = Delivery(store, orders, links, mailer, sender=SENDER, public_url=SHOP, clock=clock)
    try:
        yield Post(
            database=database,
            store=store,
            service=NotificationsService(store, "micromart.example", clock),
            delivery=delivery,
            orders=orders,
            links=links,
            clock=clock,
            sink=sink,
        )
    finally:
        await database.dispose()
