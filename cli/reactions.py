"""micromart reactions: what reacts to an event again and again, and why."""

import asyncio
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from cli.mail import plain
from cli.options import DEFAULT_DATA, Data, console, settings_of_platform
from cli.temporal import ask_temporal
from contracts.reactions import WORKFLOW
from contracts.topology import SERVICES, reactions_queue
from runtime.embedded.errors import PlatformError
from runtime.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecution

_ASKED_AT_ONCE = 10
_RPC_TIMEOUT = timedelta(seconds=5)
# How a failed attempt names the event that is in front.
_FRONT = re.compile(r"(?P<type>[\w.]+) (?P<id>\S+): (?P<reason>.*)", re.DOTALL)


@dataclass(frozen=True)
class Waiting:
    """One reaction that waits, as it stands now."""

    workflow_id: str
    service: str
    handler: str
    subject: str
    event_type: str
    event_id: str | None
    since: datetime
    activity_id: str | None
    attempts: int
    reason: str | None
    next_attempt: datetime | None
    paused: bool


def reactions(
    service: Annotated[str | None, typer.Option("--service", help="Only this one's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many.")] = 100,
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show the reactions that have failed and are tried again until they get through."""
    hearing = [one.name for one in SERVICES if one.hears]
    if service is not None and service not in hearing:
        raise PlatformError(f"{service} hears of no events; there are {', '.join(hearing)}")
    settings = settings_of_platform(data)
    waiting, count = ask_temporal(settings, lambda client: _waiting(client, service, limit))
    if as_json:
        items = [_document(one, settings) for one in waiting]
        typer.echo(json.dumps({"items": items, "count": count}, indent=2))
    elif not waiting:
        console.print("nothing waits")
    else:
        _show(waiting, count, settings)


async def _waiting(client: "Client", service: str | None, limit: int) -> tuple[list[Waiting], int]:
    """Those that have waited longest first, and how many there are in all."""
    queue = f" AND TaskQueue = '{reactions_queue(service)}'" if service is not None else ""
    query = f"WorkflowType = '{WORKFLOW}' AND ExecutionStatus = 'Running'{queue}"
    asking = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask(execution: "WorkflowExecution") -> Waiting | None:
        async with asking:
            return await _described(client, execution)

    counted = await client.count_workflows(query, rpc_timeout=_RPC_TIMEOUT)
    listed = client.list_workflows(query, limit=limit, rpc_timeout=_RPC_TIMEOUT)
    found = await asyncio.gather(*[ask(one) async for one in listed])
    return sorted((one for one in found if one is not None), key=lambda one: one.since), counted.count


async def _described(client: "Client", execution: "WorkflowExecution") -> Waiting | None:
    """What one workflow is at; None where it has got through since it was listed."""
    from temporalio.client import WorkflowExecutionStatus
    from temporalio.service import RPCError, RPCStatusCode

    from workflows.reactions import EVENT_TYPE, HANDLER, SUBJECT

    try:
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        described = await handle.describe(rpc_timeout=_RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if described.status is not WorkflowExecutionStatus.RUNNING:
        return None
    attempt = next(iter(described.raw_description.pending_activities), None)
    message = attempt.last_failure.message if attempt is not None else ""
    front = _FRONT.fullmatch(message)
    known = described.typed_search_attributes
    is_later = attempt is not None and attempt.HasField("next_attempt_schedule_time")
    return Waiting(
        workflow_id=described.id,
        service=described.task_queue.removesuffix(reactions_queue("")),
        handler=known.get(HANDLER, ""),
        subject=known.get(SUBJECT, ""),
        event_type=front["type"] if front else known.get(EVENT_TYPE, ""),
        event_id=front["id"] if front else None,
        since=described.start_time,
        activity_id=attempt.activity_id if attempt is not None else None,
        attempts=attempt.attempt if attempt is not None else 0,
        reason=(front["reason"] if front else message) or None,
        next_attempt=attempt.next_attempt_schedule_time.ToDatetime(UTC) if attempt and is_later else None,
        paused=attempt is not None and attempt.paused,
    )


def _document(one: Waiting, settings: Settings) -> dict[str, object]:
    return {
        "workflow_id": one.workflow_id,
        "service": one.service,
        "handler": one.handler,
        "subject": one.subject,
        "event_type": one.event_type,
        "event_id": one.event_id,
        "since": one.since.isoformat(),
        "activity_id": one.activity_id,
        "attempts": one.attempts,
        "reason": one.reason,
        "next_attempt": one.next_attempt.isoformat() if one.next_attempt is not None else None,
        "paused": one.paused,
        "look": _command(one, settings),
    }


def _show(waiting: Sequence[Waiting], count: int, settings: Settings) -> None:
    now = datetime.now(UTC)
    for one in waiting:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_row("event", Text(plain(f"{one.event_type} {one.event_id or ''}")))
        table.add_row("why", Text(plain(one.reason or "no attempt has failed yet"), "red"))
        table.add_row("tried", _tried(one, now))
        table.add_row("look", Text(_command(one, settings)))
        console.print(Text.assemble((plain(one.handler), "bold cyan"), "  ", plain(one.subject)))
        console.print(table)
        console.print()
    if count > len(waiting):
        console.print(f"and {count - len(waiting)} more (--limit)")
    console.print("pause, reset, leave one out: docs/events.md", style="dim")


def _tried(one: Waiting, now: datetime) -> Text:
    since = f"{one.since.astimezone():%Y-%m-%d %H:%M:%S}"
    line = Text(f"attempt {one.attempts}, waits since {since}")
    if one.paused:
        return line.append(", paused", "yellow")
    if one.next_attempt is not None:
        line.append(f", next in {max(0, round((one.next_attempt - now).total_seconds()))} s")
    return line


def _command(one: Waiting, settings: Settings) -> str:
    """The command of Temporal's own that shows the workflow in full."""
    there = ["--address", settings.temporal_address]
    if settings.temporal_namespace != "default":
        there += ["--namespace", settings.temporal_namespace]
    return shlex.join(["temporal", "workflow", "describe", "--workflow-id", one.workflow_id, *there])
