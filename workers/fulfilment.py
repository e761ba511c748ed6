"""The fulfilment worker: what it hears, the parcels' workflow with its steps, the reconciler."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Interceptor

from activities.fulfilment import FulfilmentActivities
from contracts.errors import Unavailable
from contracts.fulfilment import ShipmentState
from contracts.orders import ORDER_CONFIRMED
from contracts.topology import TaskQueue
from runtime.logs import get_logger
from runtime.reactions import Heard, Reaction
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.fulfilment.factory import open_fulfilment
from services.fulfilment.heard import OrderConfirmedFacts
from services.fulfilment.service import FulfilmentService
from workers.events import open_postgres_events
from workers.fulfilment_reconciler import FulfilmentReconciler
from workers.process import WorkerParts, run_worker
from workflows.fulfilment import FulfilmentWorkflow
from workflows.fulfilments import Fulfilments

log = get_logger(__name__)


class ShipmentOpener:
    """What fulfilment does when an order is confirmed: in its store first, then at Temporal."""

    def __init__(self, fulfilment: FulfilmentService, fulfilments: Fulfilments, settings: Settings) -> None:
        self._fulfilment = fulfilment
        self._fulfilments = fulfilments
        self._reminder = timedelta(seconds=settings.shipment_reminder_seconds)

    async def order_confirmed(self, heard: Heard[OrderConfirmedFacts]) -> None:
        """Open the order's shipment, unless it was stopped before, and start its workflow; safe to repeat.

        The row is what counts: a workflow that could not be started now is started by the reconciler.
        """
        shipment = await self._fulfilment.open_shipment(heard)
        if shipment.state is not ShipmentState.OPEN:
            return
        try:
            await self._fulfilments.start(shipment.fulfilment(self._reminder))
        except Unavailable as error:
            log.warning(
                "the reconciler will start the workflow", order_id=shipment.order_id, reason=str(error)
            )


HEARS: tuple[Reaction[ShipmentOpener, Any], ...] = (
    Reaction(
        "fulfilment.open_shipment", ORDER_CONFIRMED, OrderConfirmedFacts, ShipmentOpener.order_confirmed
    ),
)


@asynccontextmanager
async def open_worker(
    settings: Settings,
    client: Client,
    interceptors: Sequence[Interceptor] = (),
    *,
    sandboxed: bool = False,
) -> AsyncIterator[WorkerParts]:
    async with open_fulfilment(settings) as fulfilment, AsyncExitStack() as stack:
        opener = ShipmentOpener(fulfilment, Fulfilments(client), settings)
        events = await stack.enter_async_context(
            open_postgres_events("fulfilment", settings, client, target=opener, reactions=HEARS)
        )
        steps = FulfilmentActivities(fulfilment)
        worker = worker_for(
            client,
            TaskQueue.FULFILMENT,
            activities=[steps.look, steps.stop, steps.hold, steps.finish_shipping, steps.remind],
            workflows=[FulfilmentWorkflow],
            interceptors=interceptors,
            sandboxed=sandboxed,
            remote_activities=True,
        )
        reconciler = FulfilmentReconciler(fulfilment, Fulfilments(client), settings)
        yield WorkerParts((worker, *events.workers), (reconciler.run, *events.loops))


def main() -> None:
    run_worker("fulfilment", open_worker)


if __name__ == "__main__":
    main()
