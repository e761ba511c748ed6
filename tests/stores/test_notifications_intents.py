"""What is heard becomes what is meant: one intent for each event, with nobody's address in it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from contracts.auth import EMAIL_VERIFICATION_REQUESTED, PASSWORD_RESET_REQUESTED
from contracts.notifications import NotificationState
from contracts.orders import ORDER_CANCELLED, ORDER_CONFIRMED, ORDER_REJECTED
from services.notifications.notification import Contact
from services.notifications.rules import Template
from tests.conftest import FreshDatabase
from tests.mail_sink import MailSink
from tests.stores.notifications_post import (
    Post,
    abandoned,
    about_order,
    link_requested,
    new_address,
    open_post,
    password_changed,
    registered,
    shipped,
)

LEASE = timedelta(seconds=30)


@pytest.fixture
async def post(fresh_database: FreshDatabase) -> AsyncIterator[Post]:
    """Nothing is sent here, so that no sink runs."""
    async with open_post(fresh_database, MailSink.nowhere()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("event_type", "template"),
    [
        (ORDER_CONFIRMED, Template.ORDER_CONFIRMED),
        (ORDER_REJECTED, Template.ORDER_REJECTED),
        (ORDER_CANCELLED, Template.ORDER_CANCELLED),
    ],
)
async def test_a_buyer_is_to_be_told_how_an_order_went(
    post: Post, event_type: str, template: Template
) -> None:
    order_id = await post.hear_of_order(new_address(), event_type, customer_id="ada")
    meant = await post.about(order_id)
    assert (meant.template, meant.state, meant.user_id) == (template, NotificationState.PENDING, "ada")
    assert meant.message_id == f"<{meant.id}@micromart.example>"


async def test_why_an_order_was_refused_is_kept_for_its_letter(post: Post) -> None:
    order_id = await post.hear_of_order(new_address(), ORDER_REJECTED, reason="payments.declined")
    assert (await post.about(order_id)).facts == {"reason": "payments.declined"}


async def test_a_parcel_is_to_be_told_with_its_tracking_number(post: Post) -> None:
    order_id = uuid4().hex
    await post.hear(shipped(order_id, carrier="DHL", tracking="JJD0001", lines=[]))
    meant = await post.about(order_id)
    assert (meant.template, meant.facts) == (
        Template.ORDER_SHIPPED,
        {"carrier": "DHL", "tracking": "JJD0001"},
    )


async def test_an_event_that_is_heard_twice_makes_one_intent(post: Post) -> None:
    order_id = uuid4().hex
    event = about_order(order_id)
    await asyncio.gather(*(post.hear(event) for _ in range(5)))
    assert (await post.about(order_id)).attempts == 0


async def test_two_events_of_one_order_make_two(post: Post) -> None:
    order_id = uuid4().hex
    await post.hear(about_order(order_id))
    await post.hear(about_order(order_id, ORDER_CANCELLED))
    found = await post.service.notifications(order_id=order_id, limit=10)
    assert {one.template for one in found} == {Template.ORDER_CONFIRMED, Template.ORDER_CANCELLED}


async def test_a_new_customer_is_welcomed_and_remembered(post: Post) -> None:
    email = new_address()
    await post.hear(registered("ada", email))
    async with post.store.begin() as tx:
        contact = await tx.contact_of("ada")
    assert contact == Contact("ada", email)
    (welcome,) = await post.all()
    assert (welcome.template, welcome.user_id, welcome.facts) == (Template.WELCOME, "ada", {})


async def test_a_customer_is_reminded_of_a_cart(post: Post) -> None:
    await post.hear(registered("ada", new_address()))
    await post.hear(abandoned("ada"))
    reminders = [one for one in await post.all() if one.template is Template.CART_REMINDER]
    assert [one.user_id for one in reminders] == ["ada"]
    assert reminders[0].facts["lines"] == [
        {"title": "Moka pot", "quantity": 2, "unit_price": {"amount": 3490, "currency": "EUR"}}
    ]


@pytest.mark.parametrize("owner", ["nobody", None])
async def test_who_cannot_be_reached_is_not_reminded(post: Post, owner: str | None) -> None:
    await post.hear(abandoned(owner))
    assert await post.all() == []


async def test_whoever_sends_is_woken_by_an_intent_and_not_by_an_old_event(post: Post) -> None:
    event = about_order(uuid4().hex)
    assert not post.service.written.is_set()
    await post.hear(event)
    assert post.service.written.is_set()
    post.service.written.clear()
    await post.hear(event)
    assert not post.service.written.is_set()


async def test_what_is_claimed_is_nobody_elses_until_the_lease_is_over(post: Post) -> None:
    for _ in range(3):
        await post.hear_of_order(new_address())
    claims = await asyncio.gather(*(post.claim(LEASE) for _ in range(4)))
    assert sum(map(len, claims)) == len({one for claim in claims for one in claim}) == 3
    assert await post.claim(LEASE) == []
    post.clock.move(LEASE)
    assert len(await post.claim(LEASE)) == 3


async def test_what_was_handed_over_comes_back_only_after_a_long_time(post: Post) -> None:
    order_id = await post.hear_of_order(new_address())
    (claimed,) = await post.claim(LEASE)
    await post.service.handed_over(claimed, look_again=timedelta(minutes=10))
    post.clock.move(LEASE)
    assert await post.claim(LEASE) == []
    post.clock.move(timedelta(minutes=10))
    (again,) = await post.service.claim(limit=1, lease=LEASE)
    assert (again.order_id, again.handed_over) == (order_id, True)


async def test_pages_go_from_new_to_old(post: Post) -> None:
    orders = []
    for _ in range(5):
        post.clock.move(timedelta(seconds=1))
        orders.append(await post.hear_of_order(new_address()))
    first = await post.service.notifications(limit=3)
    rest = await post.service.notifications(after=(first[-1].created_at, first[-1].id), limit=3)
    assert [one.order_id for one in (*first, *rest)] == orders[::-1]
    assert await post.service.notifications(state=NotificationState.SENT, limit=3) == []


@pytest.mark.parametrize(
    ("event_type", "template"),
    [
        (PASSWORD_RESET_REQUESTED, Template.RESET_PASSWORD),
        (EMAIL_VERIFICATION_REQUESTED, Template.VERIFY_EMAIL),
    ],
)
async def test_a_link_is_to_be_mailed_of_which_only_the_id_is_kept(
    post: Post, event_type: str, template: Template
) -> None:
    requested = link_requested(event_type, "m-1")
    for _ in range(2):
        await post.hear(requested)
    (meant,) = await post.all()
    assert (meant.template, meant.user_id, meant.facts) == (template, requested.subject, {"mail_id": "m-1"})


async def test_an_owner_is_to_be_told_of_another_password(post: Post) -> None:
    await post.hear(password_changed("ada"))
    (meant,) = await post.all()
    assert (meant.template, meant.user_id) == (Template.PASSWORD_CHANGED, "ada")
