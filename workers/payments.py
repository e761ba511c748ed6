"""The payments worker: which queue, which steps, what it hears."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

from activities.payments import PaymentsActivities
from contracts.payments import PROVIDER_REPORTED
from contracts.topology import TaskQueue
from runtime.reactions import Reaction
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.payments.factory import open_payments
from services.payments.heard import ReportFacts
from services.payments.service import PaymentsService
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker

HEARS: tuple[Reaction[PaymentsService, Any], ...] = (
    Reaction("payments.settle_report", PROVIDER_REPORTED, ReportFacts, PaymentsService.settle_report),
)


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with (
        open_payments(settings) as payments,
        open_postgres_events("payments", settings, client, target=payments, reactions=HEARS) as events,
    ):
        steps = PaymentsActivities(payments)
        worker = worker_for(
            client,
            TaskQueue.PAYMENTS,
            activities=[steps.authorize, steps.void, steps.capture, steps.refund, steps.give_back],
        )
        yield WorkerParts((worker, *events.workers), events.loops)


def main() -> None:
    run_worker("payments", open_worker)


if __name__ == "__main__":
    main()
