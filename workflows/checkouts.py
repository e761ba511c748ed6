"""Starting, finding and stopping checkouts from outside: what the API and the reconciler share."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Any

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.checkout import (
    PLACE,
    Checkout,
    CheckoutState,
    Outcome,
    Step,
    workflow_id_of,
)
from contracts.errors import Unavailable
from contracts.topology import TaskQueue
from workflows.checkout import CHECKOUT_STATE, CheckoutWorkflow
from workflows.checkout_history import CheckoutHistory
from workflows.starting import ORDER_ID, TASK_TIMEOUT

PATIENCE = timedelta(seconds=2)

# Not an answer: too slow, Temporal away (RuntimeError: a lazy client that cannot connect), ended by hand.
_UNDECIDED = (
    TimeoutError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowAlreadyStartedError,
    WorkflowUpdateFailedError,
    RPCError,
    RuntimeError,
)


class Start(StrEnum):
    """What came of a start: it runs (now or already), or it ran and has ended."""

    RUNNING = "running"
    ENDED = "ended"


class Checkouts:
    """Checkout workflows by their order's id; every call is safe to repeat."""

    def __init__(self, client: Client, patience: timedelta = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    async def place(self, checkout: Checkout, *, wait: timedelta) -> Outcome | None:
        """Start the checkout or attach to it, and wait for its end; None when that is not known in time.

        None says nothing about the checkout: it may run, be about to be started by the reconciler, or have
        ended; the order's row tells.
        """
        start = WithStartWorkflowOperation(
            CheckoutWorkflow.run,
            checkout,
            id=checkout.workflow_id,
            task_queue=TaskQueue.ORDERS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
            search_attributes=_search_attributes(checkout),
            static_summary=_summary(checkout),
            static_details=_details(checkout),
        )
        try:
            async with asyncio.timeout(wait.total_seconds()):
                outcome: Outcome = await self._client.execute_update_with_start_workflow(
                    PLACE, start_workflow_operation=start, id=PLACE, result_type=Outcome, rpc_timeout=wait
                )
                return outcome
        except _UNDECIDED:
            await _take_note(start)
            return None

    async def start(self, checkout: Checkout) -> Start:
        """Make sure that the checkout was started."""
        try:
            await self._start(checkout, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        except WorkflowAlreadyStartedError:
            return Start.ENDED
        return Start.RUNNING

    async def undo(self, checkout: Checkout) -> None:
        """Undo a checkout whose workflow was ended by hand; one that is confirmed goes forward."""
        await self._start(
            checkout.model_copy(update={"undo_only": True}), WorkflowIDReusePolicy.ALLOW_DUPLICATE
        )

    async def cancel(self, order_id: str) -> bool:
        """Interrupt the checkout's current step; False when Temporal did not hear of it."""
        try:
            handle = self._client.get_workflow_handle(workflow_id_of(order_id))
            await handle.cancel(rpc_timeout=self._patience)
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        except RuntimeError:
            return False
        return True

    async def payment_reported(self, order_id: str) -> None:
        """Tell the checkout that the provider has news; one that is over does not need to know."""
        try:
            await self._client.get_workflow_handle(workflow_id_of(order_id)).signal(
                CheckoutWorkflow.payment_reported, rpc_timeout=self._patience
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Unavailable("Temporal cannot be reached") from error
        except RuntimeError as error:
            raise Unavailable("Temporal cannot be reached") from error

    async def running_steps(self, order_id: str) -> tuple[Step, ...]:
        """The steps of a checkout that still runs, from Temporal's own books: no worker has to be alive.

        A history too long to be read in time is told as far as it was read, and what is under way with it.
        """
        history = CheckoutHistory(self._client.data_converter)
        handle = self._client.get_workflow_handle(workflow_id_of(order_id))
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                description = await handle.describe(rpc_timeout=self._patience)
                # Read after the description, so that what has ended since is told as ended; of the same run.
                run = self._client.get_workflow_handle(handle.id, run_id=description.run_id)
                async for event in run.fetch_history_events(rpc_timeout=self._patience):
                    await history.read(event)
        except TimeoutError:
            if not history.begun:
                raise
        return history.steps(description.raw_description)

    async def _start(self, checkout: Checkout, reuse: WorkflowIDReusePolicy) -> None:
        await self._client.start_workflow(
            CheckoutWorkflow.run,
            checkout,
            id=checkout.workflow_id,
            task_queue=TaskQueue.ORDERS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            task_timeout=TASK_TIMEOUT,
            search_attributes=_search_attributes(checkout),
            static_summary=_summary(checkout),
            static_details=_details(checkout),
        )


async def _take_note(start: WithStartWorkflowOperation[Any, Any]) -> None:
    """Look at the failure that the operation keeps, too: asyncio calls one an error that nobody looked at."""
    handle = asyncio.ensure_future(start.workflow_handle())
    await asyncio.wait([handle], timeout=0)
    if not handle.done():
        # It got nowhere: there will be no failure to look at.
        handle.cancel()
    elif not handle.cancelled():
        handle.exception()


def _search_attributes(checkout: Checkout) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(ORDER_ID, checkout.order_id),
            SearchAttributePair(CHECKOUT_STATE, CheckoutState.RUNNING),
        ]
    )


def _summary(checkout: Checkout) -> str:
    units = sum(line.quantity for line in checkout.lines)
    verb = "undo of a checkout" if checkout.undo_only else "checkout"
    return f"{verb}: {units} units, {checkout.total}"


def _details(checkout: Checkout) -> str:
    lines = "\n".join(f"- {line.quantity} × `{line.sku}`" for line in checkout.lines)
    return f"Order `{checkout.order_id}`, {checkout.total}\n\n{lines}"
