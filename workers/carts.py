"""The carts worker: which queue, which steps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from activities.carts import CartsActivities
from contracts.topology import TaskQueue
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.carts.factory import open_carts
from workers.process import WorkerParts, run_worker


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with open_carts(settings) as carts:
        steps = CartsActivities(carts)
        yield WorkerParts(worker_for(client, TaskQueue.CARTS, activities=[steps.settle]))


def main() -> None:
    run_worker("carts", open_worker)


if __name__ == "__main__":
    main()
