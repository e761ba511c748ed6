"""An orders worker that dies, as by kill -9, right after a named local step has committed."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from runtime.settings import Settings
from workers.orders import open_worker
from workers.process import WorkerParts, run_worker


class DieAfter(Interceptor):
    def __init__(self, step: str) -> None:
        self._step = step

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Dying(next, self._step)


class _Dying(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, step: str) -> None:  # noqa: A002
        super().__init__(next)
        self._step = step

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        result = await super().execute_activity(input)
        if activity.info().activity_type == self._step:
            os._exit(137)
        return result


@asynccontextmanager
async def open_dying(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with open_worker(settings, client, [DieAfter(sys.argv[1])]) as parts:
        yield WorkerParts(parts.workers)


if __name__ == "__main__":
    run_worker("orders", open_dying)
