"""The saga's mechanics: steps that are watched, and what is carried out until it is done."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.checkout import Resolution, StepDone, StepName
    from workflows.progress import Progress
    from workflows.refusals import attempts_in, is_refused, refusal_in

NEEDS_OPERATOR = SearchAttributeKey.for_bool("NeedsOperator")

STEP_RETRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
)
# What has to come to an end: about 40 seconds of attempts, then a person is called and the attempts go on.
PERSISTENT_RETRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=10,
)
PERSISTENT_PAUSE = timedelta(seconds=10)
# Whoever waits for days must not fill the workflow's history; a person's word ends a pause at once.
LONGEST_PAUSE = timedelta(minutes=10)

Perform = Callable[[], Awaitable[StepDone]]
CallForHelp = Callable[[str], Awaitable[None]]


class Saga:
    """Steps and their undos. An undo is registered first: a step that timed out may have happened."""

    def __init__(self, progress: Progress, call_operator: CallForHelp) -> None:
        self._progress = progress
        self._call_operator = call_operator
        self._undos: dict[StepName, Perform] = {}
        self._failing: set[StepName] = set()
        self._needs_operator = False
        self._resumed = 0
        self._resolutions: dict[StepName, Resolution] = {}

    async def step(self, name: StepName, perform: Perform) -> None:
        """Carry out one step; what it raises decides the saga."""
        self._progress.started(name, workflow.now())
        self._show()
        try:
            done = await perform()
        except (FailureError, asyncio.CancelledError) as error:
            self._stopped(name, error)
            raise
        self._progress.completed(name, workflow.now(), done.attempts)
        self._show()

    def _stopped(self, name: StepName, error: BaseException) -> None:
        if is_cancelled_exception(error):
            self._progress.interrupted(name, workflow.now())
        else:
            self._progress.refused(name, workflow.now(), attempts_in(error), refusal_in(error).code)
        self._show()

    async def insist(self, name: StepName, perform: Perform) -> None:
        """Carry out one step until it is done or its service refuses it: an outage calls for a person."""
        try:
            await self._until_done(name, perform, may_refuse=True)
        finally:
            self._dismiss_operator()

    def undo_with(self, name: StepName, perform: Perform) -> None:
        """Register what takes a step back, should the saga not reach its pivot."""
        self._undos[name] = perform

    def waiting(self, name: StepName, detail: str) -> None:
        """Show what a step waits for."""
        self._progress.waiting(name, detail)
        self._show()

    def resume(self) -> None:
        """Try what keeps failing again now, instead of after the pause."""
        self._resumed += 1

    def resolve(self, resolution: Resolution) -> None:
        """Take every undo that keeps failing just now for done, because somebody has seen to it."""
        self._resolutions |= dict.fromkeys(self._failing, resolution)

    async def undo(self) -> None:
        """Carry out every registered undo, none waiting for another, each until it is done."""
        await asyncio.gather(
            *(self._until_done(name, perform) for name, perform in reversed(self._undos.items()))
        )
        self._dismiss_operator()

    async def _until_done(self, name: StepName, perform: Perform, *, may_refuse: bool = False) -> None:
        pause = PERSISTENT_PAUSE
        while True:
            self._progress.started(name, workflow.now())
            self._show()
            try:
                done = await self._unless_resolved(name, perform)
            except FailureError as error:
                if may_refuse and is_refused(error):
                    self._stopped(name, error)
                    raise
                resumed = self._resumed
                await self._ask_for_help(name, error)
                await self._pause(name, resumed, pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if done is not None:
                self._progress.completed(name, workflow.now(), done.attempts)
            else:
                word = self._resolutions[name]
                self._progress.resolved(name, workflow.now(), f"{word.by}: {word.note}")
            self._show()
            return

    async def _unless_resolved(self, name: StepName, perform: Perform) -> StepDone | None:
        """Try once more; None where somebody says meanwhile that there is nothing left to do."""
        attempt = asyncio.ensure_future(perform())
        await workflow.wait_condition(lambda: attempt.done() or name in self._resolutions)
        if attempt.done():
            return attempt.result()
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
        return None

    async def _pause(self, name: StepName, resumed: int, pause: timedelta) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._resumed > resumed or name in self._resolutions,
                timeout=pause,
                timeout_summary=f"then try {name} again",
            )

    async def _ask_for_help(self, name: StepName, error: FailureError) -> None:
        """Make the checkout findable for a person; the undo goes on whether or not somebody comes."""
        refusal = refusal_in(error)
        self._failing.add(name)
        self._progress.failing(name, attempts_in(error), f"{refusal.code}: {refusal.detail}")
        self._show()
        if not self._needs_operator:
            self._needs_operator = True
            workflow.upsert_search_attributes([NEEDS_OPERATOR.value_set(True)])
        await self._call_operator(f"{name} keeps failing: {refusal.detail}")

    def _dismiss_operator(self) -> None:
        if self._needs_operator:
            workflow.upsert_search_attributes([NEEDS_OPERATOR.value_set(False)])

    def _show(self) -> None:
        workflow.set_current_details(self._progress.as_markdown())
