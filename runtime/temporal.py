"""Temporal: the client and the worker as every process of ours sets them up."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    PollerBehaviorSimpleMaximum,
    UnsandboxedWorkflowRunner,
    Worker,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contracts.commands import Command
from contracts.errors import DomainError, Kind
from runtime.logs import get_logger
from runtime.metrics import ACTIVITIES, ACTIVITY_SECONDS
from runtime.settings import Settings
from runtime.trace import bind_trace

log = get_logger(__name__)


async def connect(settings: Settings, *, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client of our namespace; a lazy one connects with its first call: Temporal may be down now.

    Its threads belong to the SDK's own runtime, which lives as long as the process, unless one is given.
    """
    key = settings.temporal_api_key
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=pydantic_data_converter,
        tls=settings.temporal_tls,
        api_key=key.get_secret_value() if key is not None else None,
        lazy=lazy,
        grpc_compression=GrpcCompression.NONE,
        runtime=runtime,
    )


def worker_for(
    client: Client,
    task_queue: str,
    *,
    activities: Sequence[Callable[..., Any]],
    workflows: Sequence[type] = (),
    interceptors: Sequence[Interceptor] = (),
    sandboxed: bool = False,
    remote_activities: bool = False,
    pollers: int | None = None,
) -> Worker:
    """A worker of one queue; every activity attempt is logged, counted and its refusals mapped.

    A worker that has workflows takes its activities as local ones only, unless `remote_activities` is set.
    `pollers` is for queues that are nearly always empty.

    Temporal's sandbox polices workflow code at run time for half of a workflow's CPU. Ours is kept
    deterministic by what it may import and by replay; the tests run it sandboxed (ADR 10).
    """
    return Worker(
        client,
        task_queue=task_queue,
        activities=activities,
        workflows=workflows,
        no_remote_activities=bool(workflows) and not remote_activities,
        workflow_runner=SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner(),
        interceptors=[ActivityReporting(), *interceptors],
        graceful_shutdown_timeout=timedelta(seconds=5),
        **_polling(pollers),
    )


def _polling(pollers: int | None) -> dict[str, Any]:
    """How many requests for work stand open at once; the SDK's own number unless told."""
    if pollers is None:
        return {}
    behavior = PollerBehaviorSimpleMaximum(pollers)
    return {"workflow_task_poller_behavior": behavior, "activity_task_poller_behavior": behavior}


def application_error(error: DomainError, attempt: int) -> ApplicationError:
    """A refusal as Temporal carries it: its code as the type, final unless it only asks for patience."""
    refusal = error.refusal
    busy = refusal.kind is Kind.BUSY
    return ApplicationError(
        refusal.detail,
        refusal,
        attempt,
        type=refusal.code,
        non_retryable=not busy,
        next_retry_delay=timedelta(seconds=error.retry_after) if error.retry_after else None,
        category=ApplicationErrorCategory.UNSPECIFIED if busy else ApplicationErrorCategory.BENIGN,
    )


class ActivityReporting(Interceptor):
    """Around every activity: the order and trace on its log lines, metrics, refusals as Temporal errors."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Reporting(next)


class _Reporting(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        command = next(iter(input.args), None)
        if isinstance(command, Command):
            bind_trace(command.traceparent, order_id=command.order_id)
        started = time.perf_counter()
        outcome, reason = "failed", None
        try:
            result = await super().execute_activity(input)
            outcome = "completed"
        except DomainError as error:
            outcome, reason = error.refusal.code, str(error.__cause__ or error)
            # Without its causes, whose stack traces can outgrow what a history may hold.
            raise application_error(error, info.attempt) from None
        finally:
            seconds = time.perf_counter() - started
            ACTIVITIES.labels(info.activity_type, outcome).inc()
            ACTIVITY_SECONDS.labels(info.activity_type).observe(seconds)
            level = log.warning if outcome == "failed" else log.info
            level(
                "activity",
                activity=info.activity_type,
                attempt=info.attempt,
                outcome=outcome,
                ms=round(seconds * 1000, 1),
                **({"reason": reason} if reason else {}),
            )
        return result
