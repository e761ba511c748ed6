"""Starting and waking parcels' workflows from outside: what the API and the worker share."""

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError

from contracts.errors import Unavailable
from contracts.fulfilment import WAKE, Fulfilment
from contracts.topology import TaskQueue
from workflows.fulfilment import FulfilmentWorkflow
from workflows.starting import ORDER_ID, TASK_TIMEOUT

# Longer than Temporal takes when it is well; whom it was too slow for, the reconciler serves.
PATIENCE = timedelta(milliseconds=500)


class Fulfilments:
    """Parcels' workflows by their order's id; every call is safe to repeat, and Unavailable without Temporal.

    A workflow that has ended is started anew: the caller knows from the shipment's row that there is a need.
    """

    def __init__(self, client: Client, patience: timedelta = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    async def start(self, fulfilment: Fulfilment) -> None:
        """Make sure that the parcel's workflow runs."""
        await self._start(fulfilment, signal=None)

    async def wake(self, fulfilment: Fulfilment) -> None:
        """Have the parcel's workflow look at the shipment's row, be it running or not."""
        await self._start(fulfilment, signal=WAKE)

    async def _start(self, fulfilment: Fulfilment, signal: str | None) -> None:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._client.start_workflow(
                    FulfilmentWorkflow.run,
                    fulfilment,
                    id=fulfilment.workflow_id,
                    task_queue=TaskQueue.FULFILMENT,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    task_timeout=TASK_TIMEOUT,
                    start_signal=signal,
                    search_attributes=TypedSearchAttributes(
                        [SearchAttributePair(ORDER_ID, fulfilment.order_id)]
                    ),
                    static_summary=_summary(fulfilment),
                    static_details=_details(fulfilment),
                    rpc_timeout=self._patience,
                )
        except (TimeoutError, RPCError, RuntimeError) as error:
            # RuntimeError: a lazy client that cannot connect.
            raise Unavailable(
                f"Temporal did not hear of the parcel: {str(error)[:200] or 'too slow'}"
            ) from error


def _summary(fulfilment: Fulfilment) -> str:
    return f"parcel: {sum(line.quantity for line in fulfilment.lines)} units"


def _details(fulfilment: Fulfilment) -> str:
    lines = "\n".join(f"- {line.quantity} × `{line.sku}`" for line in fulfilment.lines)
    return f"Order `{fulfilment.order_id}`\n\n{lines}"
