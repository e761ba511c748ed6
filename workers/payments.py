"""The payments worker: which queue, which steps, what it hears, what it prunes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

from activities.payments import PaymentsActivities
from contracts.payments import PROVIDER_REPORTED
from contracts.topology import TaskQueue
from runtime.logs import get_logger
from runtime.reactions import Reaction
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.payments.factory import open_payments, provider_settings
from services.payments.heard import ReportFacts
from services.payments.service import PaymentsService
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker
from workers.rounds import again_and_again

log = get_logger(__name__)

PRUNE_EVERY_SECONDS = 3_600.0

HEARS: tuple[Reaction[PaymentsService, Any], ...] = (
    Reaction("payments.settle_report", PROVIDER_REPORTED, ReportFacts, PaymentsService.settle_report),
)


class ReportsPruner:
    """Keeps what providers have reported from piling up; several may do so at once."""

    def __init__(self, payments: PaymentsService) -> None:
        self._payments = payments

    async def prune(self) -> None:
        """Drop what was reported long ago, again and again."""
        await again_and_again("pruning webhooks", self._prune_once, PRUNE_EVERY_SECONDS)

    async def _prune_once(self) -> None:
        log.info("webhooks pruned", rows=await self._payments.forget_old_reports())


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
        yield WorkerParts((worker, *events.workers), (*events.loops, ReportsPruner(payments).prune))


def main() -> None:
    run_worker("payments", open_worker, needs=provider_settings)


if __name__ == "__main__":
    main()
