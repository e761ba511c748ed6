"""How a step is carried out: by which worker, how long an attempt may take, how it is tried again."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from contracts.commands import Command
    from contracts.topology import TaskQueue
    from workflows.saga import STEP_RETRIES

ATTEMPT_LIMIT = timedelta(seconds=10)

Told = TypeVar("Told", bound=Command)
Answer = TypeVar("Answer")
Activity = Callable[[Any, Told], Awaitable[Answer]]


async def local_step(activity: Activity[Told, Answer], command: Told, summary: str) -> Answer:
    """Carry out a step of the workflow's own service, inside its worker."""
    return await workflow.execute_local_activity_method(
        activity,
        command,
        start_to_close_timeout=ATTEMPT_LIMIT,
        retry_policy=STEP_RETRIES,
        summary=summary,
    )


async def remote_step(
    queue: TaskQueue,
    activity: Activity[Told, Answer],
    command: Told,
    summary: str,
    retries: RetryPolicy = STEP_RETRIES,
) -> Answer:
    """Carry out a step of another service, by whoever polls that one's queue."""
    return await workflow.execute_activity_method(
        activity,
        command,
        task_queue=queue,
        start_to_close_timeout=ATTEMPT_LIMIT,
        retry_policy=retries,
        summary=summary,
    )
