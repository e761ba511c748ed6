"""Reactions from end to end: outbox, relay, bus, consumer, and the workflow of what has failed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from contracts.reactions import Skip, WaitingReaction
from runtime.settings import Settings
from runtime.temporal import connect
from tests.polling import until
from tests.stores.events_bench import HEARS, PATIENCE_SECONDS, SERVICE, TOLD, Bench, a_subject
from tests.workflows.saved import replay_and_keep
from workers.events import Hearing, open_events
from workers.process import end_all
from workflows.reaction import ReactionWorkflow


@asynccontextmanager
async def working(bench: Bench, settings: Settings, client: Client | None = None) -> AsyncIterator[Client]:
    """A worker's events, as its process runs them."""
    client = client or await connect(settings)
    hearing = Hearing(bench.listener, HEARS, bench.parking, PATIENCE_SECONDS)
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_events(SERVICE, settings, client, bench.source, hearing))
        for worker in parts.workers:
            await stack.enter_async_context(worker)
        loops = [asyncio.ensure_future(loop()) for loop in parts.loops]
        try:
            yield client
        finally:
            await end_all(loops)


def workflow_id(subject: str) -> str:
    return WaitingReaction(service=SERVICE, handler="test.listen", subject=subject).workflow_id


async def heard(bench: Bench, subject: str, numbers: list[int]) -> None:
    async def is_so() -> bool:
        return await bench.effects(subject) == numbers

    await until(is_so)


async def failing_with(client: Client, subject: str) -> str:
    """What the Temporal UI shows of why the event in front waits."""
    message = ""

    async def shows() -> bool:
        nonlocal message
        try:
            described = await client.get_workflow_handle(workflow_id(subject)).describe()
        except RPCError:
            return False
        for pending in described.raw_description.pending_activities:
            message = pending.last_failure.message
        return bool(message)

    await until(shows)
    return message


async def ended(client: Client, subject: str) -> bool:
    described = await client.get_workflow_handle(workflow_id(subject)).describe()
    return described.status is WorkflowExecutionStatus.COMPLETED


async def test_what_is_committed_has_its_effect_and_no_workflow(bench: Bench, settings: Settings) -> None:
    subject = a_subject()
    async with working(bench, settings) as client:
        await bench.say(subject, 1, 2, 3)
        await heard(bench, subject, [1, 2, 3])
        with pytest.raises(RPCError):
            await client.get_workflow_handle(workflow_id(subject)).describe()


async def test_a_failed_reaction_waits_in_sight_and_gets_through_in_order(
    bench: Bench, settings: Settings
) -> None:
    subject, sibling = a_subject(), a_subject()
    bench.listener.failing[subject] = RuntimeError("the parcel office is closed")
    async with working(bench, settings) as client:
        await bench.say(subject, 1)
        await bench.say(sibling, 1)
        await heard(bench, sibling, [1])
        assert "the parcel office is closed" in await failing_with(client, subject)
        await bench.say(subject, 2)

        async def found() -> bool:
            query = f"Handler = 'test.listen' AND Subject = '{subject}' AND EventType = '{TOLD}'"
            return [each.id async for each in client.list_workflows(query)] == [workflow_id(subject)]

        await until(found)
        assert await bench.effects(subject) == []
        del bench.listener.failing[subject]
        await heard(bench, subject, [1, 2])
        await until(lambda: ended(client, subject))
        handle = client.get_workflow_handle(workflow_id(subject))
        await replay_and_keep(await handle.fetch_history(), "reaction/got_through")
        await bench.say(subject, 3)
        await heard(bench, subject, [1, 2, 3])


async def test_a_worker_that_dies_leaves_its_failed_reactions_to_the_next(
    bench: Bench, settings: Settings
) -> None:
    subject = a_subject()
    bench.listener.failing[subject] = RuntimeError("no")
    async with working(bench, settings) as client:
        await bench.say(subject, 1)
        await failing_with(client, subject)
    await bench.say(subject, 2)
    del bench.listener.failing[subject]
    async with working(bench, settings):
        await heard(bench, subject, [1, 2])


async def test_what_was_parked_while_temporal_was_away_is_found_by_the_sweep(
    bench: Bench, settings: Settings
) -> None:
    subject = a_subject()
    bench.listener.failing[subject] = RuntimeError("no")
    await bench.say(subject, 1)
    await bench.relayed()
    # Nobody tells Temporal of it: the bench's own retries only take notes.
    await bench.heard()
    del bench.listener.failing[subject]
    async with working(bench, settings):
        await heard(bench, subject, [1])


async def test_an_unreadable_event_waits_with_its_reason_and_can_be_left_out(
    bench: Bench, settings: Settings
) -> None:
    subject = a_subject()
    async with working(bench, settings) as client:
        [odd] = await bench.say(subject, 1, data={"count": 1})
        await bench.say(subject, 2)
        assert "number: Field required" in await failing_with(client, subject)
        await client.get_workflow_handle(workflow_id(subject)).signal(
            ReactionWorkflow.skip, Skip(event_id=str(odd.id), note="a test's own doing")
        )
        await heard(bench, subject, [2])
        await until(lambda: ended(client, subject))


async def test_a_bus_wiped_in_mid_flight_is_told_again_and_effects_stay_single(
    bench: Bench, settings: Settings
) -> None:
    subject = a_subject()
    async with working(bench, settings):
        for number in range(40):
            await bench.say(subject, number)
            if number in (10, 25):
                await bench.redis.flushall()
        await heard(bench, subject, list(range(40)))
