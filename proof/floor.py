"""The floor: a workflow of the checkout's shape whose activities do nothing. No checkout can be faster.

It has what the checkout has as Temporal sees it: a start together with an update, a timer around the
purchase, remote activities on two queues, two local ones, a search attribute. A test compares the two.
"""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

with workflow.unsafe.imports_passed_through():
    from contracts.checkout import PLACE, CheckoutState, StepDone
    from contracts.commands import Command
    from workflows.checkout import CHECKOUT_STATE
    from workflows.saga import STEP_RETRIES
    from workflows.starting import ORDER_ID, TASK_TIMEOUT
    from workflows.steps import ATTEMPT_LIMIT

WORKFLOW_QUEUE = "floor-orders"
RESERVE_QUEUE = "floor-inventory"
AUTHORIZE_QUEUE = "floor-payments"
QUEUES = (WORKFLOW_QUEUE, RESERVE_QUEUE, AUTHORIZE_QUEUE)

TIME_LIMIT = timedelta(minutes=15)
ANSWER_LIMIT = timedelta(seconds=60)


@activity.defn(name="floor.step")
async def step(_: Command) -> StepDone:
    """Nothing at all."""
    return StepDone(attempts=1)


@workflow.defn(name="Floor")
class FloorWorkflow:
    """The checkout's good path, bare."""

    @workflow.init
    def __init__(self, command: Command) -> None:
        self._command = command
        self._outcome: StepDone | None = None

    @workflow.run
    async def run(self, _: Command) -> StepDone:
        purchase = asyncio.create_task(self._purchase())
        await workflow.wait_condition(purchase.done, timeout=TIME_LIMIT)
        await purchase
        self._outcome = await self._local()
        workflow.upsert_search_attributes([CHECKOUT_STATE.value_set(CheckoutState.CONFIRMED)])
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome

    @workflow.update(name=PLACE)
    async def place(self) -> StepDone:
        """Wait for the end."""
        await workflow.wait_condition(lambda: self._outcome is not None)
        assert self._outcome is not None
        return self._outcome

    async def _purchase(self) -> None:
        await self._remote(RESERVE_QUEUE)
        await self._remote(AUTHORIZE_QUEUE)
        await self._local()

    async def _remote(self, queue: str) -> StepDone:
        return await workflow.execute_activity(
            step,
            self._command,
            task_queue=queue,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
        )

    async def _local(self) -> StepDone:
        return await workflow.execute_local_activity(
            step, self._command, start_to_close_timeout=ATTEMPT_LIMIT, retry_policy=STEP_RETRIES
        )


async def place_floor(client: Client, order_id: str) -> StepDone:
    """Start one and wait for its end, as the orders API does with a checkout."""
    attributes = TypedSearchAttributes(
        [
            SearchAttributePair(ORDER_ID, order_id),
            SearchAttributePair(CHECKOUT_STATE, CheckoutState.RUNNING),
        ]
    )
    start = WithStartWorkflowOperation(
        FloorWorkflow.run,
        Command(order_id=order_id),
        id=f"floor-{order_id}",
        task_queue=WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        task_timeout=TASK_TIMEOUT,
        search_attributes=attributes,
    )
    done: StepDone = await client.execute_update_with_start_workflow(
        PLACE, start_workflow_operation=start, id=PLACE, result_type=StepDone, rpc_timeout=ANSWER_LIMIT
    )
    return done
