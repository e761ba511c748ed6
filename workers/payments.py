"""The payments worker: which queue, which steps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from activities.payments import PaymentsActivities
from contracts.topology import TaskQueue
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.payments.factory import open_payments
from workers.process import WorkerParts, run_worker


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with open_payments(settings) as payments:
        steps = PaymentsActivities(payments)
        yield WorkerParts(worker_for(client, TaskQueue.PAYMENTS, activities=[steps.authorize, steps.void]))


def main() -> None:
    run_worker("payments", open_worker)


if __name__ == "__main__":
    main()
