"""micromart reactions, against reactions that really fail."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from runtime.embedded import binaries
from runtime.settings import Settings
from tests.conftest import Servers
from tests.micromart import MicroMart
from tests.polling import until
from tests.ports import free_port
from tests.stores.events_bench import SERVICE, TOLD, Bench, a_subject
from tests.workflows.test_reactions import ended, failing_with, heard, workflow_id, working

HANDLER = "test.listen"


@pytest.fixture
async def client(bench: Bench, settings: Settings) -> AsyncIterator[Client]:
    async with working(bench, settings) as connected:
        yield connected


@pytest.fixture
def micromart(servers: Servers, tmp_path: Path) -> MicroMart:
    return MicroMart({"temporal_address": servers.temporal_address}, tmp_path / "nowhere")


async def waiting(micromart: MicroMart, subject: str, *, paused: bool = False) -> Any:
    """What the command tells of a subject, once visibility has heard of it."""
    found: list[Any] = []

    async def shows() -> bool:
        answer = await micromart.run("reactions", "--service", SERVICE, "--json")
        assert answer.code == 0, answer.err
        items = answer.document["items"]
        found[:] = [one for one in items if one["subject"] == subject and one["paused"] == paused]
        return bool(found) and found[0]["reason"] is not None

    await until(shows)
    [one] = found
    return one


async def temporal(command: str, *options: str) -> str:
    """One of Temporal's own commands as we print it, with its answer."""
    program, *arguments = shlex.split(command)
    assert program == "temporal"
    process = await asyncio.create_subprocess_exec(
        binaries.temporal(), *arguments, *options, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return out.decode()


async def fails(bench: Bench, client: Client, subject: str, reason: str) -> str:
    """Let the reaction to an event fail; answers the event's id."""
    bench.listener.failing[subject] = RuntimeError(reason)
    [said] = await bench.say(subject, 1)
    await failing_with(client, subject)
    return str(said.id)


async def attempts(client: Client, subject: str) -> int:
    """How often the event in front has been tried, as Temporal counts."""
    described = await client.get_workflow_handle(workflow_id(subject)).describe()
    return max((one.attempt for one in described.raw_description.pending_activities), default=0)


async def test_it_tells_what_waits_and_why(bench: Bench, client: Client, micromart: MicroMart) -> None:
    subject = a_subject()
    event_id = await fails(bench, client, subject, "the parcel office is closed")
    one = await waiting(micromart, subject)
    assert (one["service"], one["handler"]) == (SERVICE, HANDLER)
    assert (one["event_type"], one["event_id"]) == (TOLD, event_id)
    assert one["reason"] == "RuntimeError: the parcel office is closed"
    assert one["attempts"] >= 1
    assert workflow_id(subject) in await temporal(one["look"])
    people = await micromart.run("reactions")
    assert people.code == 0
    for part in (HANDLER, subject, event_id, "the parcel office is closed", workflow_id(subject)):
        assert part in people.out


async def test_it_is_seen_that_somebody_paused_it_and_that_it_got_through(
    bench: Bench, client: Client, micromart: MicroMart
) -> None:
    subject = a_subject()
    await fails(bench, client, subject, "no")
    one = await waiting(micromart, subject)
    options = ("--activity-id", one["activity_id"])
    await temporal(one["look"].replace("workflow describe", "activity pause"), *options)
    await waiting(micromart, subject, paused=True)
    del bench.listener.failing[subject]
    await temporal(one["look"].replace("workflow describe", "activity unpause"), *options)
    await heard(bench, subject, [1])
    await until(lambda: ended(client, subject))

    async def is_gone() -> bool:
        answer = await micromart.run("reactions", "--json")
        return subject not in answer.out

    await until(is_gone)


async def test_an_activity_is_reset_as_the_document_says(
    bench: Bench, client: Client, micromart: MicroMart
) -> None:
    subject = a_subject()
    await fails(bench, client, subject, "no")
    one = await waiting(micromart, subject)

    async def tried(often: bool) -> bool:
        return (await attempts(client, subject) >= 4) is often

    await until(lambda: tried(often=True))
    command = one["look"].replace("workflow describe", "activity reset")
    await temporal(command, "--activity-id", one["activity_id"])
    await until(lambda: tried(often=False))
    del bench.listener.failing[subject]
    await heard(bench, subject, [1])


async def test_a_workflow_is_reset_to_its_begin_and_gets_through_in_order(
    bench: Bench, client: Client, micromart: MicroMart
) -> None:
    subject = a_subject()
    await fails(bench, client, subject, "no")
    await bench.say(subject, 2)
    one = await waiting(micromart, subject)
    handle = client.get_workflow_handle(workflow_id(subject))
    before = await handle.describe()
    command = one["look"].replace("describe", "reset")
    await temporal(command, "--type", "FirstWorkflowTask", "--reason", "its cause is mended")
    assert (await handle.describe()).run_id != before.run_id
    del bench.listener.failing[subject]
    await heard(bench, subject, [1, 2])
    await until(lambda: ended(client, subject))


async def test_an_event_is_left_out_as_the_document_says(
    bench: Bench, client: Client, micromart: MicroMart
) -> None:
    subject = a_subject()
    event_id = await fails(bench, client, subject, "no")
    await bench.say(subject, 2)
    one = await waiting(micromart, subject)
    del bench.listener.failing[subject]
    skip = f'{{"event_id": "{event_id}", "note": "seen to by hand"}}'
    command = one["look"].replace("describe", "signal")
    await temporal(command, "--name", "skip", "--input", skip)
    await until(lambda: ended(client, subject))
    assert 2 in await bench.effects(subject)


async def test_nothing_waits_where_nothing_failed(micromart: MicroMart) -> None:
    answer = await micromart.run("reactions", "--service", "notifications")
    assert (answer.code, answer.out) == (0, "nothing waits\n")


async def test_without_temporal_it_ends_with_one_clear_line(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    answer = await MicroMart({"temporal_address": nowhere}, tmp_path / "nowhere").run("reactions")
    assert answer.code == 1
    assert answer.err == f"micromart: Temporal cannot be reached at {nowhere}\n"


async def test_a_service_that_hears_nothing_is_refused(micromart: MicroMart) -> None:
    answer = await micromart.run("reactions", "--service", "inventory")
    assert (answer.code, answer.err.split(";")[0]) == (1, "micromart: inventory hears of no events")
