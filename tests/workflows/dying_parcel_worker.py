"""A fulfilment worker that dies, as by kill -9, right after a named step of its own has committed."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from runtime.settings import Settings
from tests.workflows.dying_worker import DieAfter
from workers.fulfilment import open_worker
from workers.process import WorkerParts, run_worker


@asynccontextmanager
async def open_dying(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with open_worker(settings, client, [DieAfter(sys.argv[1])]) as parts:
        yield WorkerParts(parts.workers)


if __name__ == "__main__":
    run_worker("fulfilment", open_dying)
