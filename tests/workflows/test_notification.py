"""What cannot be sent at once is a workflow's, until the mail server takes it or never will."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.notifications import NotificationsActivities
from contracts.notifications import NotificationState
from contracts.topology import TaskQueue
from runtime.settings import Settings
from runtime.temporal import connect, worker_for
from tests.conftest import FreshDatabase, Servers
from tests.mail_sink import MailSink, running_sink
from tests.polling import until
from tests.ports import free_port
from tests.stores.notifications_post import Post, new_address, open_post
from tests.workflows.saved import replay_and_keep
from workers.sender import LOOK_AGAIN, Sender
from workflows.notification import NotificationWorkflow
from workflows.notifications import Notifications

SENT, PENDING = NotificationState.SENT, NotificationState.PENDING


@dataclass
class Office:
    post: Post
    client: Client
    sender: Sender

    async def described(self, order_id: str) -> WorkflowExecutionDescription | None:
        """The workflow of the one notification about an order."""
        command = (await self.post.about(order_id)).command
        try:
            return await self.client.get_workflow_handle(command.workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def runs(self, order_id: str) -> bool:
        described = await self.described(order_id)
        return described is not None and described.status is WorkflowExecutionStatus.RUNNING

    async def until_sent(self, order_id: str) -> None:
        async def is_sent() -> bool:
            return await self.post.state_of(order_id) is SENT

        await until(is_sent)


@pytest.fixture(scope="module")
async def sink(server_folder: Path) -> AsyncIterator[MailSink]:
    async with running_sink(server_folder / "mail-of-workflows") as running:
        yield running


@pytest.fixture
async def office(servers: Servers, fresh_database: FreshDatabase, sink: MailSink) -> AsyncIterator[Office]:
    client = await connect(Settings(temporal_address=servers.temporal_address))
    async with open_post(fresh_database, sink) as post:
        worker = worker_for(
            client,
            TaskQueue.NOTIFICATIONS,
            activities=[NotificationsActivities(post.delivery).send],
            workflows=[NotificationWorkflow],
            sandboxed=True,
            remote_activities=True,
        )
        async with worker:
            yield Office(post, client, Sender(post.service, post.delivery, Notifications(client)))


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    loop = asyncio.create_task(sender.run())
    try:
        yield
        assert not loop.done(), "the sender's loop ended by itself"
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_what_the_server_takes_needs_no_workflow(office: Office) -> None:
    async with running(office.sender):
        order_id = await office.post.hear_of_order(new_address())
        await office.until_sent(order_id)
    assert await office.described(order_id) is None


async def test_what_it_does_not_take_now_is_sent_by_a_workflow_once_it_does(office: Office) -> None:
    email = new_address()
    await office.post.sink.kill()
    async with running(office.sender):
        order_id = await office.post.hear_of_order(email)

        async def handed_over() -> bool:
            return (await office.post.about(order_id)).handed_over

        await until(handed_over)
        assert await office.runs(order_id)
        await office.post.sink.start()
        await office.until_sent(order_id)
    (arrived,) = await office.post.sink.messages(email)
    notification = await office.post.about(order_id)
    assert arrived.message_id == notification.message_id
    handle = office.client.get_workflow_handle(notification.command.workflow_id)
    await handle.result()
    await replay_and_keep(await handle.fetch_history(), "notification/sent")


async def test_a_workflow_tells_neither_address_nor_text(office: Office) -> None:
    email = new_address("defer")
    order_id = await office.post.hear_of_order(email)
    await office.sender.send_some()
    command = (await office.post.about(order_id)).command
    handle = office.client.get_workflow_handle(command.workflow_id)

    async def is_retrying() -> bool:
        described = await handle.describe()
        return any(each.attempt > 1 for each in described.raw_description.pending_activities)

    await until(is_retrying)
    history = b"".join(event.SerializeToString() for event in (await handle.fetch_history()).events)
    assert order_id.encode() in history
    described = (await handle.describe()).raw_description.SerializeToString()
    for secret in (email.encode(), b"Moka pot"):
        assert secret not in history
        assert secret not in described
    await handle.terminate("the test is over")


async def test_a_workflow_that_was_ended_by_hand_is_started_anew(office: Office) -> None:
    order_id = await office.post.hear_of_order(new_address("defer"))
    await office.sender.send_some()
    command = (await office.post.about(order_id)).command
    await office.client.get_workflow_handle(command.workflow_id).terminate("by hand")
    assert await office.sender.send_some() == 0

    office.post.clock.move(LOOK_AGAIN)
    assert await office.sender.send_some() == 1
    assert await office.runs(order_id)
    await office.client.get_workflow_handle(command.workflow_id).terminate("the test is over")


async def test_a_workflow_that_runs_is_left_alone(office: Office) -> None:
    order_id = await office.post.hear_of_order(new_address("defer"))
    await office.sender.send_some()
    first = await office.described(order_id)
    office.post.clock.move(LOOK_AGAIN)
    await office.sender.send_some()
    second = await office.described(order_id)
    assert first is not None
    assert second is not None
    assert first.run_id == second.run_id
    await office.client.get_workflow_handle(first.id).terminate("the test is over")


async def test_with_temporal_away_too_the_sender_itself_tries_again(
    fresh_database: FreshDatabase, sink: MailSink
) -> None:
    nowhere = await connect(Settings(temporal_address=f"127.0.0.1:{free_port()}"), lazy=True)
    lease = timedelta(seconds=30)
    async with open_post(fresh_database, sink) as post:
        sender = Sender(post.service, post.delivery, Notifications(nowhere), lease=lease)
        email = new_address()
        order_id = await post.hear_of_order(email)
        await sink.kill()
        assert await sender.send_some() == 1
        waiting = await post.about(order_id)
        assert (waiting.state, waiting.handed_over) == (PENDING, False)

        await sink.start()
        assert await sender.send_some() == 0
        post.clock.move(lease)
        assert await sender.send_some() == 1
        (arrived,) = await sink.messages(email)
        assert arrived.message_id == waiting.message_id
        assert await post.state_of(order_id) is SENT


async def test_one_message_that_cannot_be_written_holds_up_no_other(office: Office) -> None:
    broken = await office.post.hear_of_order(new_address())
    async with office.post.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE notifications SET template = 'cart_reminder'")
    fine = await office.post.hear_of_order(new_address())
    await office.sender.send_some()
    assert await office.post.state_of(fine) is SENT
    stuck = await office.post.about(broken)
    assert (stuck.state, stuck.handed_over, stuck.last_error) == (PENDING, True, "ValidationError")
    assert await office.runs(broken)
    await office.client.get_workflow_handle(stuck.command.workflow_id).terminate("the test is over")
