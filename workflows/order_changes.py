"""Starting the changes of an order, and reaching a workflow that waits for an operator, from outside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.checkout import RESOLVE, RESUME, Resolution
from contracts.errors import Unavailable
from contracts.orders import CANCEL_WORKFLOW, REFUND_WORKFLOW, CancelOrder, RefundOrder
from contracts.topology import TaskQueue
from workflows.starting import ORDER_ID, TASK_TIMEOUT

# Longer than Temporal takes when it is well; whom it was too slow for, the reconciler serves.
PATIENCE = timedelta(seconds=1)


class OrderChangeWorkflows:
    """Cancellations by their order's id, refunds by their own; every call is safe to repeat.

    Unavailable where Temporal did not hear it. A workflow that an operator ended is started anew; one that
    has ended by itself is not: the row knows how.
    """

    def __init__(self, client: Client, patience: timedelta = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    async def cancel(self, order: CancelOrder) -> None:
        """Make sure that the order's cancellation was started."""
        await self._start(CANCEL_WORKFLOW, order, f"cancel an order of {order.total}")

    async def refund(self, refund: RefundOrder) -> None:
        """Make sure that the refund was started."""
        await self._start(REFUND_WORKFLOW, refund, f"refund {refund.amount}")

    async def resume(self, workflow_id: str) -> bool:
        """Have the workflow try again now what keeps failing; False when it has ended."""
        return await self._signal(workflow_id, RESUME)

    async def resolve(self, workflow_id: str, resolution: Resolution) -> bool:
        """Tell the workflow that what keeps failing was settled by hand; False when it has ended."""
        return await self._signal(workflow_id, RESOLVE, resolution)

    async def _start(self, workflow: str, given: CancelOrder | RefundOrder, summary: str) -> None:
        with suppress(WorkflowAlreadyStartedError):
            async with self._heard():
                await self._client.start_workflow(
                    workflow,
                    given,
                    id=given.workflow_id,
                    task_queue=TaskQueue.ORDERS,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    task_timeout=TASK_TIMEOUT,
                    search_attributes=TypedSearchAttributes([SearchAttributePair(ORDER_ID, given.order_id)]),
                    static_summary=summary,
                    static_details=f"Order `{given.order_id}`",
                    rpc_timeout=self._patience,
                )

    async def _signal(self, workflow_id: str, name: str, *words: Resolution) -> bool:
        handle = self._client.get_workflow_handle(workflow_id)
        async with self._heard():
            try:
                await handle.signal(name, args=words, rpc_timeout=self._patience)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return False
                raise
        return True

    @asynccontextmanager
    async def _heard(self) -> AsyncIterator[None]:
        """Unavailable where Temporal is away or too slow. RuntimeError: a lazy client that cannot connect."""
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                yield
        except (TimeoutError, RPCError, RuntimeError) as error:
            raise Unavailable("Temporal cannot be reached, try again") from error
