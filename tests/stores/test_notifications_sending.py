"""What is meant is sent, at least once, to a real mail server."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.auth import PASSWORD_RESET_REQUESTED
from contracts.errors import Unavailable
from contracts.notifications import NOTIFICATION_BOUNCED, NOTIFICATION_SENT, NotificationState
from contracts.orders import ORDER_REJECTED
from services.notifications.errors import UnknownNotification
from services.notifications.message import NOTIFICATION_HEADER
from services.notifications.smtp import SmtpMailer
from tests.conftest import FreshDatabase
from tests.mail_sink import MailSink, running_sink
from tests.stores.notifications_post import (
    Post,
    abandoned,
    about_order,
    link_requested,
    new_address,
    open_post,
    password_changed,
    registered,
)

SENT, BOUNCED, PENDING = NotificationState.SENT, NotificationState.BOUNCED, NotificationState.PENDING


@pytest.fixture(scope="module")
async def sink(server_folder: Path) -> AsyncIterator[MailSink]:
    async with running_sink(server_folder / "mail") as running:
        yield running


@pytest.fixture
async def post(fresh_database: FreshDatabase, sink: MailSink) -> AsyncIterator[Post]:
    async with open_post(fresh_database, sink) as opened:
        yield opened


async def sent(post: Post, order_id: str) -> NotificationState:
    return await post.delivery.send((await post.about(order_id)).id)


class Killed(BaseException):
    """The process died."""


class DyingMailer:
    """A sender whose process dies as soon as the server has taken the message."""

    def __init__(self, mailer: SmtpMailer) -> None:
        self._mailer = mailer

    async def send(self, message: EmailMessage, recipient: str) -> None:
        await self._mailer.send(message, recipient)
        raise Killed


async def test_a_buyer_gets_the_mail_at_the_address_that_orders_knows(post: Post) -> None:
    email = new_address()
    order_id = await post.hear_of_order(email)
    assert await sent(post, order_id) is SENT

    (arrived,) = await post.sink.messages(email)
    notification = await post.about(order_id)
    assert (arrived.subject, arrived.sender, arrived.to) == (
        "Thank you for your order",
        "shop@micromart.example",
        [email],
    )
    assert arrived.message_id == notification.message_id
    assert "2 × Moka pot: €69.80" in arrived.text
    raw = message_from_bytes(await post.sink.raw(arrived.id), EmailMessage, policy=SMTP)
    assert raw[NOTIFICATION_HEADER] == notification.id
    assert (notification.attempts, notification.sent_at, notification.last_error) == (1, post.clock(), None)


async def test_what_was_sent_is_said_once_and_without_the_address(post: Post) -> None:
    email = new_address()
    order_id = await post.hear_of_order(email)
    for _ in range(2):
        assert await sent(post, order_id) is SENT
    (said,) = await post.told(await post.about(order_id))
    assert (said.type, said.data["state"], said.data["order_id"]) == (NOTIFICATION_SENT, "sent", order_id)
    assert email not in said.model_dump_json()


async def test_an_event_that_is_heard_twice_is_mailed_once(post: Post) -> None:
    email = new_address()
    order_id = post.orders.order_of(email)
    event = about_order(order_id, ORDER_REJECTED, reason="payments.declined")
    for _ in range(2):
        await post.hear(event)
        for claimed in await post.claim():
            await post.delivery.send(claimed)
    assert [one.subject for one in await post.sink.messages(email)] == ["Your order could not be completed"]


async def test_an_account_is_written_to_at_its_own_address(post: Post) -> None:
    email = new_address()
    await post.hear(registered("ada", email))
    await post.hear(abandoned("ada"))
    for claimed in await post.claim():
        await post.delivery.send(claimed)
    arrived = await post.sink.messages(email)
    assert {one.subject for one in arrived} == {"Welcome to MicroMart", "Your cart is waiting"}


async def test_an_address_outside_ascii_is_written_to(post: Post) -> None:
    email = f"jürgen-{uuid4().hex[:8]}@example.com"
    assert await sent(post, await post.hear_of_order(email)) is SENT
    assert len(await post.sink.messages(email)) == 1


async def test_while_the_mail_server_is_down_nothing_is_lost(post: Post) -> None:
    email = new_address()
    order_id = await post.hear_of_order(email)
    await post.sink.kill()
    with pytest.raises(Unavailable):
        await sent(post, order_id)
    waiting = await post.about(order_id)
    assert (waiting.state, waiting.attempts) == (PENDING, 1)
    assert waiting.last_error is not None
    assert waiting.last_error.startswith("the mail server cannot be used")

    await post.sink.start()
    assert await sent(post, order_id) is SENT
    (arrived,) = await post.sink.messages(email)
    assert arrived.message_id == waiting.message_id
    assert (await post.about(order_id)).attempts == 2


async def test_a_sender_that_dies_after_the_server_took_it_is_followed_by_one_with_the_same_message(
    post: Post, sink: MailSink
) -> None:
    email = new_address()
    order_id = await post.hear_of_order(email)
    dying = post.delivery_by(DyingMailer(SmtpMailer.at(sink.smtp_url)))
    with pytest.raises(Killed):
        await dying.send((await post.about(order_id)).id)
    assert await post.state_of(order_id) is PENDING

    assert await sent(post, order_id) is SENT
    arrived = await post.sink.messages(email)
    assert [one.message_id for one in arrived] == [(await post.about(order_id)).message_id] * 2


async def test_a_bounce_is_recorded_and_not_tried_again(post: Post) -> None:
    email = new_address("bounce")
    order_id = await post.hear_of_order(email)
    for _ in range(2):
        assert await sent(post, order_id) is BOUNCED
    bounced = await post.about(order_id)
    assert (bounced.attempts, bounced.sent_at) == (1, None)
    assert bounced.last_error == "the mail server refuses it for good (550 5.1.1)"
    (said,) = await post.told(bounced)
    assert (said.type, said.data["reason"]) == (NOTIFICATION_BOUNCED, bounced.last_error)
    assert await post.claim() == []


async def test_what_the_server_defers_is_tried_again(post: Post) -> None:
    order_id = await post.hear_of_order(new_address("defer"))
    for attempts in (1, 2):
        with pytest.raises(Unavailable):
            await sent(post, order_id)
        waiting = await post.about(order_id)
        assert (waiting.state, waiting.attempts) == (PENDING, attempts)
        assert waiting.last_error == "the mail server does not take it now (451 4.3.0)"


async def test_what_is_no_address_bounces(post: Post) -> None:
    order_id = await post.hear_of_order("not an address")
    assert await sent(post, order_id) is BOUNCED
    assert (await post.about(order_id)).last_error == "this is no mail address"


async def test_a_mail_waits_for_orders_to_name_the_buyer(post: Post) -> None:
    email = new_address()
    order_id = await post.hear_of_order(email)
    post.orders.away = True
    with pytest.raises(Unavailable):
        await sent(post, order_id)
    assert await post.state_of(order_id) is PENDING
    post.orders.away = False
    assert await sent(post, order_id) is SENT


async def test_an_order_that_is_gone_has_nobody_to_write_to(post: Post) -> None:
    order_id = uuid4().hex
    await post.hear(about_order(order_id))
    assert await sent(post, order_id) is BOUNCED


async def test_what_was_never_meant_is_not_sent(post: Post) -> None:
    with pytest.raises(UnknownNotification):
        await post.delivery.send("nothing")


async def test_a_link_is_mailed_to_whom_auth_names_and_its_secret_stands_in_no_table(post: Post) -> None:
    address = new_address()
    mail_id = post.links.link_of(address)
    await post.hear(link_requested(PASSWORD_RESET_REQUESTED, mail_id))
    (meant,) = await post.all()
    assert await post.delivery.send(meant.id) is SENT
    (arrived,) = await post.sink.messages(address)
    assert f"https://micromart.example/reset-password#token={mail_id}.secret" in arrived.text
    (after,) = await post.all()
    assert "secret" not in str(after)


async def test_nobody_writes_to_others_by_the_name_that_they_register_with(post: Post) -> None:
    """Anybody may register anybody's address: what we mail there is ours alone."""
    address, spam = new_address(), "Winner! Claim your prize"
    await post.hear(registered("ada", address, spam))
    await post.hear(password_changed("ada"))
    await post.hear(abandoned("ada"))
    for meant in await post.all():
        assert await post.delivery.send(meant.id) is SENT
    arrived = await post.sink.messages(address)
    assert [mail.text.splitlines()[0] for mail in arrived] == ["Hello,"] * 3
    assert spam not in str(arrived)


async def test_nobody_writes_to_others_by_the_name_that_they_buy_under(post: Post) -> None:
    email = new_address()
    order_id = await post.hear_of_order(email)
    contact = post.orders.contacts[order_id]
    post.orders.contacts[order_id] = contact.model_copy(update={"name": "Winner! https://evil.example"})
    assert await sent(post, order_id) is SENT
    (arrived,) = await post.sink.messages(email)
    assert arrived.text.splitlines()[0] == "Hello,"
    assert "evil.example" not in str(arrived)


async def test_a_link_that_opens_nothing_any_more_is_not_mailed(post: Post) -> None:
    await post.hear(link_requested(PASSWORD_RESET_REQUESTED, "used"))
    (meant,) = await post.all()
    assert await post.delivery.send(meant.id) is BOUNCED
