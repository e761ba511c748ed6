"""Reactions that fail while Temporal is away, or as their consumer dies: others go on, nothing is lost."""

from runtime.bus import Delivery
from runtime.parking import subject_of
from runtime.settings import Settings
from tests.conftest import Servers
from tests.polling import until
from tests.stores.consumer_process import Job, consuming
from tests.stores.events_bench import TOLD, Bench, a_subject
from tests.workflows.test_reactions import failing_with, heard, working


async def test_siblings_go_on_while_the_poisons_temporal_is_frozen(
    bench: Bench, settings: Settings, servers: Servers
) -> None:
    poisoned, sibling = a_subject(), a_subject()
    numbers = list(range(50))
    bench.listener.failing[poisoned] = RuntimeError("no")

    async def is_parked() -> bool:
        return await bench.parking.first("test.listen", poisoned) is not None

    async with working(bench, settings) as client:
        with servers.frozen("temporal"):
            await bench.say(poisoned, *numbers)
            await until(is_parked)
            await bench.say(sibling, *numbers)
            await heard(bench, sibling, numbers)
        await failing_with(client, poisoned)
        del bench.listener.failing[poisoned]
        await heard(bench, poisoned, numbers)


async def test_what_was_parked_by_one_that_died_before_it_said_so_gets_through(
    bench: Bench, settings: Settings, servers: Servers
) -> None:
    subject = a_subject()
    job = Job(database_url=bench.url, bus_url=servers.bus_redis_url, dies_parking=subject)
    await bench.say(subject, 1)
    await bench.relayed()
    async with consuming(job) as doomed:
        await doomed.died()
    await bench.say(subject, 2)
    async with working(bench, settings):
        await heard(bench, subject, [1, 2])


async def test_one_whose_subject_no_workflow_could_be_named_after_waits_in_sight(
    bench: Bench, settings: Settings
) -> None:
    subject = f"é{a_subject()}\x00" * 500
    line = subject_of(Delivery(stream="", entry="", type=TOLD, subject=subject, body="{}"))
    await bench.redis.xadd(bench.streams[0], {"type": TOLD, "subject": subject, "body": "{}"})
    async with working(bench, settings) as client:
        assert "cannot read the event" in await failing_with(client, line)
