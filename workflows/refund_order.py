"""One refund that the staff asked for, as a durable workflow."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts.checkout import RESOLVE, RESUME, Resolution, StepName
    from contracts.errors import Refusal
    from contracts.orders import REFUND_WORKFLOW, RefundOrder, RefundState
    from workflows.after_checkout_steps import RefundSteps
    from workflows.progress import Progress
    from workflows.refusals import refusal_in
    from workflows.saga import Saga
    from workflows.shield import shielded


@workflow.defn(name=REFUND_WORKFLOW)
class RefundOrderWorkflow:
    """Give the amount back, once, however long the provider is away; payments has the last word on it."""

    @workflow.init
    def __init__(self, refund: RefundOrder) -> None:
        self._steps = RefundSteps(refund)
        self._saga = Saga(Progress((StepName.REFUND_PAYMENT,)), self._steps.call_operator)

    @workflow.run
    async def run(self, refund: RefundOrder) -> RefundState:
        return await shielded(self._refund())

    @workflow.signal(name=RESUME)
    def resume(self) -> None:
        """Try what keeps failing again now."""
        self._saga.resume()

    @workflow.signal(name=RESOLVE)
    def resolve(self, resolution: Resolution) -> None:
        """Take the refund for made: somebody has seen to it by hand."""
        self._saga.resolve(resolution)

    async def _refund(self) -> RefundState:
        refusal: Refusal | None = None
        try:
            await self._saga.insist(StepName.REFUND_PAYMENT, self._steps.refund_payment)
        except FailureError as error:
            refusal = refusal_in(error)
        await self._steps.settle(refusal)
        return RefundState.REFUSED if refusal else RefundState.DONE
