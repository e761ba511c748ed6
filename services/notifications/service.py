"""Notifications' use cases: an intent for each event that somebody is to hear of. delivery.py sends it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from contracts.notifications import NotificationState
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.reactions import Heard
from services.notifications import rules
from services.notifications.heard import (
    CartFacts,
    LinkFacts,
    OrderFacts,
    PasswordFacts,
    RegistrationFacts,
    ShipmentFacts,
)
from services.notifications.letters import FACTS_OF
from services.notifications.notification import Contact, Notification
from services.notifications.rules import Template
from services.notifications.store import NotificationsStore, NotificationsTransaction

log = get_logger(__name__)


class NotificationsService:
    """One intent for each event, however often it is heard: written down first, sent by others."""

    def __init__(self, store: NotificationsStore, mail_domain: str, clock: Clock = utc_now) -> None:
        self._store = store
        self._mail_domain = mail_domain
        self._clock = clock
        # Set whenever an intent was committed: who sends need not wait for the next look.
        self.written = asyncio.Event()

    async def tell_of_order(self, heard: Heard[OrderFacts]) -> None:
        """Mean to tell the buyer how the order went. Safe to repeat."""
        facts, template = heard.facts, rules.ABOUT_ORDERS[heard.type]
        await self._mean_once(heard, template, order_id=facts.order_id, user_id=facts.customer_id)

    async def tell_of_shipment(self, heard: Heard[ShipmentFacts]) -> None:
        """Mean to tell the buyer that the parcel is on its way. Safe to repeat."""
        await self._mean_once(heard, Template.ORDER_SHIPPED, order_id=heard.facts.order_id)

    async def welcome(self, heard: Heard[RegistrationFacts]) -> None:
        """Remember how to reach a new customer, and mean to welcome them. Safe to repeat."""
        facts = heard.facts
        async with self._store.begin() as tx:
            if not await tx.first_time(heard, self._clock()):
                return
            await tx.remember(Contact(facts.user_id, facts.email))
            await self._mean(tx, heard, Template.WELCOME, user_id=facts.user_id)
        self.written.set()

    async def remind_of_cart(self, heard: Heard[CartFacts]) -> None:
        """Mean to remind a customer of a cart, if we know how to reach them. Safe to repeat."""
        owner = heard.facts.owner
        async with self._store.begin() as tx:
            if not await tx.first_time(heard, self._clock()):
                return
            if owner is None or await tx.contact_of(owner) is None:
                log.info("nobody to remind of this cart", event_id=str(heard.event_id))
                return
            await self._mean(tx, heard, Template.CART_REMINDER, user_id=owner)
        self.written.set()

    async def mail_link(self, heard: Heard[LinkFacts]) -> None:
        """Mean to mail somebody the link that was asked for. Safe to repeat."""
        await self._mean_once(heard, rules.ABOUT_LINKS[heard.type], user_id=heard.facts.user_id)

    async def tell_of_password(self, heard: Heard[PasswordFacts]) -> None:
        """Mean to tell the owner of an account that it has another password. Safe to repeat."""
        await self._mean_once(heard, Template.PASSWORD_CHANGED, user_id=heard.facts.user_id)

    async def claim(self, *, limit: int, lease: timedelta) -> list[Notification]:
        """Pending notifications for the caller alone, until it has dealt with them or the lease runs out."""
        now = self._clock()
        async with self._store.begin() as tx:
            return await tx.claim(now=now, until=now + lease, limit=limit)

    async def handed_over(self, notification_id: str, *, look_again: timedelta) -> None:
        """Note that a workflow sends it; claimed again should it still be pending by then. Safe to repeat."""
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.hand_over(notification_id, now=now, until=now + look_again)

    async def notifications(
        self,
        *,
        state: NotificationState | None = None,
        order_id: str | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int,
    ) -> list[Notification]:
        """A page of notifications, newest first: of one state or one order, or all."""
        async with self._store.begin() as tx:
            return await tx.page(state=state, order_id=order_id, after=after, limit=limit)

    async def ready(self) -> None:
        await self._store.ping()

    async def _mean_once(
        self,
        heard: Heard[Any],
        template: Template,
        *,
        order_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """The whole reaction, where an intent is all of it."""
        async with self._store.begin() as tx:
            if not await tx.first_time(heard, self._clock()):
                return
            await self._mean(tx, heard, template, order_id=order_id, user_id=user_id)
        self.written.set()

    async def _mean(
        self,
        tx: NotificationsTransaction,
        heard: Heard[Any],
        template: Template,
        *,
        order_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        notification_id = rules.notification_id_of(heard.handler, heard.event_id)
        kept = FACTS_OF[template].model_validate(heard.facts.model_dump())
        await tx.add(
            Notification(
                id=notification_id,
                template=template,
                order_id=order_id,
                user_id=user_id,
                facts=kept.model_dump(mode="json"),
                message_id=rules.message_id_of(notification_id, self._mail_domain),
                created_at=self._clock(),
                traceparent=heard.traceparent,
            )
        )
