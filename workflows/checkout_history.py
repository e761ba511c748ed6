"""A checkout's steps as Temporal's own books tell them, so that they can be seen with no worker alive."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import BaseModel, ValidationError
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    ActivityTaskCompletedEventAttributes,
    ActivityTaskScheduledEventAttributes,
    HistoryEvent,
    MarkerRecordedEventAttributes,
    WorkflowExecutionSignaledEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.converter import DataConverter

from contracts.checkout import FORWARD_STEPS, RESOLVE, Checkout, Resolution, Step, StepName, StepState
from contracts.payments import AuthorizationDone, AuthorizationState
from contracts.topology import TaskQueue
from workflows.progress import BUYER_HAS_TO_ACT, Progress

STEP_FAILED = "checkout.step_failed"
TIMED_OUT = "checkout.step_timed_out"
_OVER = frozenset({StepState.COMPLETED, StepState.REFUSED, StepState.INTERRUPTED})


class LocalActivity(BaseModel):
    """What Temporal's SDK notes in a marker about an activity that ran inside the workflow's own worker."""

    class Moment(BaseModel):
        seconds: int
        nanos: int

        @property
        def at(self) -> datetime:
            return datetime.fromtimestamp(self.seconds + self.nanos / 1e9, UTC)

    activity_type: str
    attempt: int
    original_schedule_time: Moment | None = None

    @classmethod
    def noted_in(cls, marker: MarkerRecordedEventAttributes) -> "LocalActivity | None":
        """None for a marker of another kind, or one that this version of the SDK's notes does not explain."""
        noted = marker.details["data"].payloads if "data" in marker.details else ()
        if marker.marker_name != "core_local_activity" or not noted:
            return None
        try:
            return cls.model_validate_json(noted[0].data)
        except ValidationError:
            return None


@dataclass(frozen=True)
class _Scheduled:
    step: StepName
    attempt: int = 1


class CheckoutHistory:
    """Follows a checkout's history and keeps its progress as its workflow does."""

    def __init__(self, converter: DataConverter) -> None:
        self.begun = False
        self._converter = converter
        self._progress = Progress(())
        self._scheduled: dict[int, _Scheduled] = {}
        self._failing: set[StepName] = set()
        self._taken_up_at: datetime | None = None

    async def read(self, event: HistoryEvent) -> None:
        """Take in the next event; what a step of the checkout has nothing to do with is passed over."""
        at = event.event_time.ToDatetime(UTC)
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                await self._begin(event.workflow_execution_started_event_attributes)
            case "workflow_task_started_event_attributes":
                self._taken_up_at = self._taken_up_at or at
            case "workflow_task_timed_out_event_attributes" | "workflow_task_failed_event_attributes":
                self._taken_up_at = None
            case "activity_task_scheduled_event_attributes":
                self._schedule(event.event_id, event.activity_task_scheduled_event_attributes, at)
            case "activity_task_started_event_attributes":
                started = event.activity_task_started_event_attributes
                if (known := self._scheduled.get(started.scheduled_event_id)) is not None:
                    self._scheduled[started.scheduled_event_id] = replace(known, attempt=started.attempt)
            case "activity_task_completed_event_attributes":
                await self._complete(event.activity_task_completed_event_attributes, at)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                self._fail(failed.scheduled_event_id, failed.failure, at)
            case "activity_task_timed_out_event_attributes":
                late = event.activity_task_timed_out_event_attributes
                self._fail(late.scheduled_event_id, late.failure, at)
            case "activity_task_cancel_requested_event_attributes":
                # The workflow waits no longer: whatever comes of it now is no part of the checkout.
                self._cancel(event.activity_task_cancel_requested_event_attributes.scheduled_event_id, at)
            case "marker_recorded_event_attributes":
                self._note(event.marker_recorded_event_attributes, at)
            case "workflow_execution_signaled_event_attributes":
                await self._hear(event.workflow_execution_signaled_event_attributes, at)
            case "workflow_execution_terminated_event_attributes":
                for step in self._progress.steps:
                    if step.state in (StepState.RUNNING, StepState.FAILING):
                        self._progress.interrupted(step.name, at)

    def steps(self, described: DescribeWorkflowExecutionResponse) -> tuple[Step, ...]:
        """The steps as far as they were read, with what is under way: its attempt, and what failed last."""
        steps = {step.name: step for step in self._progress.steps}
        for pending in described.pending_activities:
            if (name := _step_named(pending.activity_type.name)) is None:
                continue
            known = steps.get(name, Step(name=name))
            if known.state not in _OVER:
                steps[name] = _under_way(known, pending)
        upcoming = next((step for step in steps.values() if step.state is not StepState.COMPLETED), None)
        undoing = not steps.keys() <= set(FORWARD_STEPS)
        if upcoming is not None and upcoming.state is StepState.WAITING and not undoing:
            steps[upcoming.name] = self._next(upcoming, described)
        return tuple(steps.values())

    def _next(self, step: Step, described: DescribeWorkflowExecutionResponse) -> Step:
        """The step whose turn it is: what runs inside the orders worker is not written down until it ends."""
        task = described.pending_workflow_task
        if task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
            return step.model_copy(update={"detail": _not_taken_up(TaskQueue.ORDERS)})
        running = task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
        if running and step.name is StepName.CONFIRM_ORDER:
            since = self._taken_up_at or task.started_time.ToDatetime(UTC)
            return step.model_copy(update={"state": StepState.RUNNING, "attempts": 1, "started_at": since})
        return step

    async def _begin(self, started: WorkflowExecutionStartedEventAttributes) -> None:
        [checkout] = await self._converter.decode(started.input.payloads, [Checkout])
        self._progress = Progress(() if checkout.undo_only else FORWARD_STEPS)
        self.begun = True

    def _schedule(self, event_id: int, scheduled: ActivityTaskScheduledEventAttributes, at: datetime) -> None:
        if (name := _step_named(scheduled.activity_type.name)) is not None:
            self._scheduled[event_id] = _Scheduled(name)
            self._progress.started(name, at)

    async def _complete(self, done: ActivityTaskCompletedEventAttributes, at: datetime) -> None:
        if (ended := self._ended(done.scheduled_event_id)) is None:
            return
        if ended.step is StepName.AUTHORIZE_PAYMENT:
            [answer] = await self._converter.decode(done.result.payloads, [AuthorizationDone])
            if answer.state is AuthorizationState.ACTION_REQUIRED:
                self._progress.waiting(ended.step, BUYER_HAS_TO_ACT)
                return
        self._progress.completed(ended.step, at, ended.attempt)

    def _fail(self, scheduled_event_id: int, failure: Failure, at: datetime) -> None:
        if (ended := self._ended(scheduled_event_id)) is None:
            return
        if ended.step in FORWARD_STEPS:
            self._progress.refused(ended.step, at, ended.attempt, _code_in(failure))
        else:
            self._failing.add(ended.step)
            self._progress.failing(ended.step, ended.attempt, _code_in(failure))

    def _cancel(self, scheduled_event_id: int, at: datetime) -> None:
        ended = self._ended(scheduled_event_id)
        if ended is not None and ended.step in FORWARD_STEPS:
            self._progress.interrupted(ended.step, at)

    def _note(self, marker: MarkerRecordedEventAttributes, at: datetime) -> None:
        ran = LocalActivity.noted_in(marker)
        name = _step_named(ran.activity_type) if ran is not None else None
        if ran is None or name is None:
            return
        self._progress.started(name, ran.original_schedule_time.at if ran.original_schedule_time else at)
        if not marker.HasField("failure"):
            self._progress.completed(name, at, ran.attempt)
        elif marker.failure.HasField("canceled_failure_info"):
            self._progress.interrupted(name, at)
        else:
            self._progress.refused(name, at, ran.attempt, _code_in(marker.failure))

    async def _hear(self, signaled: WorkflowExecutionSignaledEventAttributes, at: datetime) -> None:
        """An operator's word settles every undo that keeps failing."""
        if signaled.signal_name != RESOLVE:
            return
        [word] = await self._converter.decode(signaled.input.payloads, [Resolution])
        over = {step.name for step in self._progress.steps if step.state in _OVER}
        for name in self._failing - over:
            self._progress.resolved(name, at, f"{word.by}: {word.note}")

    def _ended(self, scheduled_event_id: int) -> _Scheduled | None:
        """What the event ended; None for no step of ours, or one that was ended before."""
        self._taken_up_at = None
        return self._scheduled.pop(scheduled_event_id, None)


def _under_way(step: Step, pending: PendingActivityInfo) -> Step:
    waits = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    if pending.HasField("last_failure"):
        detail: str | None = _code_in(pending.last_failure)
    elif waits:
        detail = _not_taken_up(pending.activity_options.task_queue.name)
    else:
        detail = step.detail
    return step.model_copy(
        update={
            "state": StepState.RUNNING,
            "attempts": pending.attempt,
            "started_at": step.started_at or pending.scheduled_time.ToDatetime(UTC),
            "detail": detail,
        }
    )


def _not_taken_up(queue: str) -> str:
    return f"no worker of the {queue} queue has taken it up yet"


def _code_in(failure: Failure) -> str:
    """A failure by its stable code; its message is for the log, it may quote what is not for everybody."""
    if failure.HasField("timeout_failure_info"):
        return TIMED_OUT
    return failure.application_failure_info.type or STEP_FAILED


def _step_named(activity: str) -> StepName | None:
    return StepName(activity) if activity in StepName.__members__.values() else None
