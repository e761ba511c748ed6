"""The orders worker: the checkout workflow, its local steps, the reconciler."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.worker import Interceptor

from activities.orders import OrdersActivities
from contracts.topology import TaskQueue
from runtime.settings import Settings
from runtime.temporal import worker_for
from services.orders.factory import open_orders
from workers.process import WorkerParts, run_worker
from workers.reconciler import Reconciler
from workflows.checkout import CheckoutWorkflow
from workflows.checkouts import Checkouts


@asynccontextmanager
async def open_worker(
    settings: Settings,
    client: Client,
    interceptors: Sequence[Interceptor] = (),
    *,
    sandboxed: bool = False,
) -> AsyncIterator[WorkerParts]:
    async with open_orders(settings) as orders:
        steps = OrdersActivities(orders)
        worker = worker_for(
            client,
            TaskQueue.ORDERS,
            activities=[
                steps.confirm,
                steps.begin_undo,
                steps.end_undone,
                steps.close,
                steps.call_operator,
            ],
            workflows=[CheckoutWorkflow],
            interceptors=interceptors,
            sandboxed=sandboxed,
        )
        yield WorkerParts(worker, loops=(Reconciler(orders, Checkouts(client), settings).run,))


def main() -> None:
    run_worker("orders", open_worker)


if __name__ == "__main__":
    main()
