"""The cancellation of a confirmed order, as one durable workflow."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts.checkout import RESOLVE, RESUME, Resolution, StepName
    from contracts.orders import CANCEL_WORKFLOW, CancellationState, CancelOrder
    from workflows.after_checkout_steps import CancelSteps
    from workflows.progress import Progress
    from workflows.refusals import refusal_in
    from workflows.saga import Saga
    from workflows.shield import shielded

STEPS = (StepName.STOP_SHIPMENT, StepName.GIVE_BACK_PAYMENT, StepName.RELEASE_STOCK)


@workflow.defn(name=CANCEL_WORKFLOW)
class CancelOrderWorkflow:
    """Stop the parcel, or leave the order be; then money and stock go back, however long that takes."""

    @workflow.init
    def __init__(self, order: CancelOrder) -> None:
        self._steps = CancelSteps(order)
        self._saga = Saga(Progress(STEPS), self._steps.call_operator)

    @workflow.run
    async def run(self, order: CancelOrder) -> CancellationState:
        return await shielded(self._cancel())

    @workflow.signal(name=RESUME)
    def resume(self) -> None:
        """Try what keeps failing again now."""
        self._saga.resume()

    @workflow.signal(name=RESOLVE)
    def resolve(self, resolution: Resolution) -> None:
        """Take what keeps failing for done: somebody has settled it by hand."""
        self._saga.resolve(resolution)

    async def _cancel(self) -> CancellationState:
        try:
            await self._saga.step(StepName.STOP_SHIPMENT, self._steps.stop_shipment)
        except FailureError as error:
            await self._steps.refuse(refusal_in(error))
            return CancellationState.REFUSED
        self._saga.undo_with(StepName.RELEASE_STOCK, self._steps.release_stock)
        self._saga.undo_with(StepName.GIVE_BACK_PAYMENT, self._steps.give_back_payment)
        await self._saga.undo()
        await self._steps.finish()
        return CancellationState.DONE
