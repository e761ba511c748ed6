"""A checkout's steps as Temporal writes them down, each as soon as it is known."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent, MarkerRecordedEventAttributes
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.topology import TaskQueue
from workflows.checkout_history import LocalActivity

POLL_SECONDS = 0.01


@dataclass(frozen=True)
class SagaStep:
    """One activity that has ended: where, from when to when, at which attempt, and how.

    Of a local activity the history knows the end alone: it is written down once it is over.
    """

    name: str
    where: str
    began: datetime | None
    ended: datetime
    attempts: int
    refusal: str = ""
    failed_before: str = ""


@dataclass(frozen=True)
class _Scheduled:
    name: str
    queue: str
    at: datetime
    attempt: int = 1
    failed_before: str = ""


class Timeline:
    """Reads a history event by event; an activity is told when it has ended."""

    def __init__(self) -> None:
        self._scheduled: dict[int, _Scheduled] = {}

    def read(self, event: HistoryEvent) -> SagaStep | None:
        """Take in the next event; answers the step that ended with it, if one did."""
        kind, at = event.event_type, event.event_time.ToDatetime(UTC)
        if kind == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            self._scheduled[event.event_id] = _Scheduled(
                scheduled.activity_type.name, scheduled.task_queue.name, at
            )
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            waiting = self._scheduled[started.scheduled_event_id]
            self._scheduled[started.scheduled_event_id] = _Scheduled(
                waiting.name, waiting.queue, waiting.at, started.attempt, started.last_failure.message
            )
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            return self._ended(event.activity_task_completed_event_attributes.scheduled_event_id, at)
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
            failed = event.activity_task_failed_event_attributes
            refusal = failed.failure.application_failure_info.type or failed.failure.message
            return self._ended(failed.scheduled_event_id, at, refusal)
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
            return self._ended(
                event.activity_task_timed_out_event_attributes.scheduled_event_id, at, "timed out"
            )
        elif kind == EventType.EVENT_TYPE_MARKER_RECORDED:
            return _local(event.marker_recorded_event_attributes, at)
        return None

    def _ended(self, scheduled_event_id: int, at: datetime, refusal: str = "") -> SagaStep:
        step = self._scheduled.pop(scheduled_event_id)
        return SagaStep(
            step.name, f"queue {step.queue}", step.at, at, step.attempt, refusal, step.failed_before
        )


async def steps_of(client: Client, workflow_id: str) -> AsyncIterator[SagaStep]:
    """Follow a workflow, which may be about to be started, to its end."""
    timeline = Timeline()
    while True:
        history = client.get_workflow_handle(workflow_id).fetch_history_events(wait_new_event=True)
        try:
            async for event in history:
                if (step := timeline.read(event)) is not None:
                    yield step
        except RPCError as error:
            # Found nowhere is said of the first page only: nothing is told twice.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


def _local(marker: MarkerRecordedEventAttributes, at: datetime) -> SagaStep | None:
    ran = LocalActivity.noted_in(marker)
    if ran is None:
        return None
    return SagaStep(
        ran.activity_type,
        f"inside the {TaskQueue.ORDERS} worker",
        None,
        at,
        ran.attempt,
        marker.failure.message,
    )
