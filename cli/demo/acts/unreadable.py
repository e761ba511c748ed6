"""An event that nobody can read: it waits where it can be seen, until somebody sees to it."""

import asyncio
import time
from secrets import token_hex

from temporalio.client import WorkflowHandle

from cli.demo.findings import NotShown
from cli.demo.stage import FOLLOW_SECONDS, POLL_SECONDS, Stage
from cli.options import command_line
from contracts.carts import CART_ABANDONED
from contracts.events import Event, EventData
from contracts.reactions import Skip, WaitingReaction
from runtime.bus import Outgoing
from runtime.clock import utc_now
from runtime.shards import shard_of
from workers.notifications import HEARS

Handle = WorkflowHandle[object, object]


async def leave_out(stage: Stage) -> None:
    """An abandoned cart without its lines is put on the bus; its reaction waits, and is left out by hand."""
    stage.title("An event that cannot be read")
    handler = next(reaction.handler for reaction in HEARS if reaction.event_type == CART_ABANDONED)
    subject = f"demo-{token_hex(8)}"
    event = Event.of(CART_ABANDONED, subject=subject, sequence=1, time=utc_now(), data=EventData())
    waiting = WaitingReaction(service="notifications", handler=handler, subject=subject)
    sent = Outgoing(
        key=str(event.id),
        shard=shard_of(subject),
        type=event.type,
        subject=subject,
        body=event.model_dump_json(),
    )
    room = await stage.bus.publish("carts", sent.shard, [sent])
    stage.findings.need(room == 1, f"{event.type} without its lines, put on the bus by hand", room)
    handle: Handle = stage.temporal.get_workflow_handle(waiting.workflow_id)
    reason = await _why_it_waits(stage, handle)
    stage.findings.need(
        "lines: Field required" in reason, f"{handler} waits in Temporal as {handle.id}", reason
    )
    skip = Skip(event_id=str(event.id), note="made up by the demo")
    signal = f"temporal workflow signal -w {handle.id} --name skip --input '{skip.model_dump_json()}'"
    for note in (f"{command_line('reactions', stage.data)} tells why: {reason}", signal):
        stage.console.print(f"      {note}", style="dim", markup=False)
    stage.workflows.append(("reaction", handle.id))
    await handle.signal("skip", skip)

    async def workflow() -> str:
        return await stage.status_of(handle.id)

    await stage.becomes("left out by that signal: nothing waits any more", workflow, "completed")


async def _why_it_waits(stage: Stage, handle: Handle) -> str:
    """What the last attempt failed of, as the Temporal UI shows it."""
    deadline = time.monotonic() + FOLLOW_SECONDS
    while time.monotonic() < deadline:
        if await stage.status_of(handle.id) == "running":
            pending = (await handle.describe()).raw_description.pending_activities
            failures = [each.last_failure.message for each in pending if each.last_failure.message]
            if failures:
                return failures[0]
        await asyncio.sleep(POLL_SECONDS)
    raise NotShown("a reaction that fails waits in Temporal")
