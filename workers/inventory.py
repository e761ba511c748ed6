"""The inventory worker: which queue, which steps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from activities.inventory import InventoryActivities
from contracts.topology import TaskQueue
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.inventory.factory import open_inventory
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with (
        open_inventory(settings) as inventory,
        open_postgres_events("inventory", settings, client) as events,
    ):
        steps = InventoryActivities(inventory)
        worker = worker_for(
            client, TaskQueue.INVENTORY, activities=[steps.reserve, steps.release, steps.take]
        )
        yield WorkerParts((worker,), events.loops)


def main() -> None:
    run_worker("inventory", open_worker)


if __name__ == "__main__":
    main()
