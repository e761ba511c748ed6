"""Sending: from an intent to a mail that a server has taken, or will never take."""

from email.message import EmailMessage
from typing import Protocol

from prometheus_client import Counter

from contracts.auth import MailedToken
from contracts.errors import DomainError
from contracts.events import Facts
from contracts.notifications import NotificationState
from contracts.orders import OrderContact
from runtime.clock import Clock, utc_now
from runtime.trace import bind_trace
from services.notifications import rules
from services.notifications.errors import Bounced, UnknownNotification
from services.notifications.heard import Link
from services.notifications.letters import FACTS_OF, Letters, OpenLink, Recipient
from services.notifications.message import mail_of
from services.notifications.notification import Notification
from services.notifications.store import NotificationsStore

_ENDED = Counter(
    "micromart_notifications_total", "Notifications that came to an end, by how", ["template", "state"]
)


class Mailer(Protocol):
    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand the message over; Bounced when it never can be, Unavailable when it cannot be now."""


class Orders(Protocol):
    async def contact(self, order_id: str) -> OrderContact:
        """Whom to write to about the order."""


class Auth(Protocol):
    async def mailed_token(self, mail_id: str) -> MailedToken:
        """The secret of a link that is to be mailed."""


class Delivery:
    """Sends what was meant. The mail goes out before the row says so: at least once, by one Message-ID."""

    def __init__(
        self,
        store: NotificationsStore,
        orders: Orders,
        auth: Auth,
        mailer: Mailer,
        *,
        sender: str,
        public_url: str,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._orders = orders
        self._auth = auth
        self._mailer = mailer
        self._sender = sender
        self._public_url = public_url
        self._clock = clock
        self._letters = Letters()

    async def send(self, notification_id: str) -> NotificationState:
        """Send it unless it has been, and answer how it stands; what fails is noted and raised.

        At least once: it is safe to repeat, and the recipient's mail program knows a repeated one.
        """
        notification = await self._known(notification_id)
        if notification.state is not NotificationState.PENDING:
            return notification.state
        bind_trace(notification.traceparent, notification_id=notification.id, order_id=notification.order_id)
        try:
            await self._mail(notification)
        except Bounced as bounced:
            return await self._end(notification, NotificationState.BOUNCED, bounced.detail)
        except Exception as error:
            await self._note(notification_id, error)
            raise
        return await self._end(notification, NotificationState.SENT, None)

    async def _mail(self, notification: Notification) -> None:
        facts = FACTS_OF[notification.template].model_validate(notification.facts)
        recipient = await self._recipient(notification, facts)
        letter = self._letters.write(notification.template, facts, recipient, notification.order_id)
        message = mail_of(notification, letter, recipient, sender=self._sender, now=self._clock())
        await self._mailer.send(message, rules.deliverable(recipient.email))

    async def _recipient(self, notification: Notification, facts: Facts) -> Recipient:
        """An order's mail goes to whom the order names, a link where auth says, all else to the contact."""
        if notification.order_id is not None:
            order = await self._orders.contact(notification.order_id)
            return Recipient(order.email, rules.name_to_greet(order.name), order)
        if isinstance(facts, Link):
            mailed = await self._auth.mailed_token(facts.mail_id)
            url = rules.link_to(self._public_url, notification.template, mailed.token)
            name = rules.name_to_greet(mailed.name)
            return Recipient(mailed.email, name, link=OpenLink(url, mailed.expires_at))
        async with self._store.begin() as tx:
            contact = await tx.contact_of(notification.user_id or "")
        if contact is None:
            raise Bounced("nobody knows how to reach them any more")
        # Anybody may register anybody's address, under any name: it is not ours to mail to them.
        return Recipient(contact.email, name=None)

    async def _known(self, notification_id: str) -> Notification:
        async with self._store.begin() as tx:
            found = await tx.find(notification_id)
        if found is None:
            raise UnknownNotification("there is no such notification")
        return found

    async def _note(self, notification_id: str, error: Exception) -> None:
        # Of a bug only its kind: its words may hold what stands in no table.
        reason = error.refusal.detail if isinstance(error, DomainError) else type(error).__name__
        async with self._store.begin() as tx:
            await tx.note_failure(notification_id, reason)

    async def _end(
        self, notification: Notification, state: NotificationState, reason: str | None
    ) -> NotificationState:
        now = self._clock()
        async with self._store.begin() as tx:
            ended = await tx.end(notification.id, state, reason, now)
            if ended:
                await tx.emit([notification.ended(state, reason, now)])
        if ended:
            _ENDED.labels(notification.template, state).inc()
        return state
