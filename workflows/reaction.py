"""A reaction that failed, as a durable workflow: tried again, in order, until nothing waits any more."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.reactions import ReactionActivities
    from contracts.reactions import WORKFLOW, Joined, Retried, Skip, WaitingReaction

ATTEMPT_LIMIT = timedelta(seconds=10)
RETRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=5),
)


@workflow.defn(name=WORKFLOW)
class ReactionWorkflow:
    """One handler's events about one subject, which waits for the first of them; the store keeps the line.

    The event in front is the pending activity: its last failure says why, and `temporal activity` pauses,
    resets and resumes it.
    """

    @workflow.init
    def __init__(self, waiting: WaitingReaction) -> None:
        self._waiting = waiting
        self._joined: list[Joined] = []
        self._seen = 0
        self._skip: Skip | None = None

    @workflow.run
    async def run(self, waiting: WaitingReaction) -> int:
        """Answers how many events got through."""
        handled = 0
        while True:
            self._seen = len(self._joined)
            self._show(handled)
            retried = await self._retry()
            handled += retried.event_id is not None
            if not retried.more and len(self._joined) == self._seen:
                return handled
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(waiting)

    @workflow.signal
    def join(self, joined: Joined) -> None:
        """One more event waits."""
        self._joined.append(joined)

    @workflow.signal
    def skip(self, skip: Skip) -> None:
        """Leave out the event in front, if it is this one: somebody has seen to it by hand."""
        self._skip = skip

    async def _retry(self) -> Retried:
        attempt = asyncio.create_task(self._react())
        await workflow.wait_condition(lambda: attempt.done() or self._skip is not None)
        if self._skip is None:
            return await attempt
        skip, self._skip = self._skip, None
        attempt.cancel()
        try:
            return await attempt
        except (asyncio.CancelledError, ActivityError):
            await workflow.execute_activity_method(
                ReactionActivities.skip,
                args=[self._waiting, skip],
                start_to_close_timeout=ATTEMPT_LIMIT,
                retry_policy=RETRIES,
                summary=f"leave out {skip.event_id}: {skip.note}",
            )
            return Retried(more=True)

    async def _react(self) -> Retried:
        return await workflow.execute_activity_method(
            ReactionActivities.retry,
            self._waiting,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=RETRIES,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
            summary=f"{self._waiting.handler}: the next event about {self._waiting.subject}",
        )

    def _show(self, handled: int) -> None:
        rows = [
            f"| `{one.event_type}` | `{one.event_id}` | {_cell(one.reason)} |" for one in self._joined[-50:]
        ]
        head = f"{handled} got through\n\n| event | id | why it waits |\n|---|---|---|"
        workflow.set_current_details("\n".join([head, *rows]))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
