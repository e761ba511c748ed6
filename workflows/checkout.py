"""The checkout, from click to confirmed order, as one durable workflow."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts.checkout import (
        ABANDONED,
        EXPIRED,
        FORWARD_STEPS,
        PLACE,
        WORKFLOW,
        Checkout,
        CheckoutState,
        Outcome,
        Resolution,
        StepDone,
        StepName,
        state_after,
    )
    from contracts.errors import Refusal
    from contracts.payments import AuthorizationState
    from workflows.checkout_steps import CheckoutSteps
    from workflows.progress import BUYER_HAS_TO_ACT, Progress
    from workflows.refusals import refusal_in
    from workflows.saga import Saga
    from workflows.shield import shielded

ASK_AGAIN = timedelta(minutes=1)
CHECKOUT_STATE = SearchAttributeKey.for_keyword("CheckoutState")


@workflow.defn(name=WORKFLOW)
class CheckoutWorkflow:
    """Reserve, authorise, confirm; or undo it all. The order's row is the arbiter."""

    @workflow.init
    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._steps = CheckoutSteps(checkout)
        self._progress = Progress(() if checkout.undo_only else FORWARD_STEPS)
        self._saga = Saga(self._progress, self._steps.call_operator)
        self._outcome: Outcome | None = None
        self._waits_for_buyer = False
        self._reports = 0

    @workflow.run
    async def run(self, checkout: Checkout) -> Outcome:
        if checkout.undo_only:
            return await shielded(self._take_over())
        purchase = asyncio.create_task(self._purchase())
        reason = await self._what_stopped(purchase)
        if reason is None:
            return await shielded(self._finish())
        if not purchase.done():
            purchase.cancel()
        return await shielded(self._undo_unless_confirmed(reason, after=purchase))

    @workflow.update(name=PLACE)
    async def place(self) -> Outcome:
        """Wait for the checkout's end, or until it needs the buyer; asked again, the answer is the same."""
        await workflow.wait_condition(lambda: self._outcome is not None or self._waits_for_buyer)
        return self._outcome or Outcome(state=CheckoutState.RUNNING)

    @workflow.signal
    def payment_reported(self) -> None:
        """The provider has news of the payment: what it is, it will be asked."""
        self._reports += 1

    @workflow.signal
    def resume(self) -> None:
        """Try at once again what keeps failing."""
        self._saga.resume()

    @workflow.signal
    def resolve(self, resolution: Resolution) -> None:
        """Take what keeps failing for done: somebody has seen to it by hand."""
        self._saga.resolve(resolution)

    async def _purchase(self) -> None:
        self._saga.undo_with(StepName.RELEASE_STOCK, self._steps.release_stock)
        await self._saga.step(StepName.RESERVE_STOCK, self._steps.reserve_stock)
        self._saga.undo_with(StepName.VOID_PAYMENT, self._steps.void_payment)
        await self._saga.step(StepName.AUTHORIZE_PAYMENT, self._authorize_payment)
        await self._saga.step(StepName.CONFIRM_ORDER, self._steps.confirm_order)

    async def _authorize_payment(self) -> StepDone:
        """The provider's yes; where the buyer has to act first, wait for its word, then ask again."""
        while True:
            reports = self._reports
            done = await self._steps.authorize_payment()
            if done.state is AuthorizationState.HELD:
                self._waits_for_buyer = False
                return done
            if not self._waits_for_buyer:
                await self._steps.await_action(done.action_url or "")
                self._waits_for_buyer = True
                self._saga.waiting(StepName.AUTHORIZE_PAYMENT, BUYER_HAS_TO_ACT)
            # The provider's word may get lost: then it is asked without.
            with contextlib.suppress(asyncio.TimeoutError):
                await self._report_after(reports)

    async def _report_after(self, reports: int) -> None:
        await workflow.wait_condition(
            lambda: self._reports > reports,
            timeout=ASK_AGAIN,
            timeout_summary="ask the provider without its word",
        )

    async def _take_over(self) -> Outcome:
        """An earlier run was ended by hand: what it did is not known here, so all of it is to be undone."""
        self._saga.undo_with(StepName.RELEASE_STOCK, self._steps.release_stock)
        self._saga.undo_with(StepName.VOID_PAYMENT, self._steps.void_payment)
        return await self._undo_unless_confirmed(ABANDONED)

    async def _what_stopped(self, purchase: asyncio.Task[None]) -> Refusal | None:
        """None once the purchase is made; else why it was not: a refusal, a cancel, or the time limit.

        Only Temporal's failures count: a bug must fail the workflow task, not refund a customer.
        """
        try:
            await workflow.wait_condition(
                purchase.done,
                timeout=self._checkout.time_limit,
                timeout_summary="undo the checkout unless it is confirmed by then",
            )
            await purchase
        except TimeoutError:
            return EXPIRED
        except (FailureError, asyncio.CancelledError) as error:
            return refusal_in(error)
        return None

    async def _undo_unless_confirmed(
        self, reason: Refusal, *, after: asyncio.Task[None] | None = None
    ) -> Outcome:
        if after is not None:
            await asyncio.gather(after, return_exceptions=True)
        verdict = await self._steps.may_undo(reason)
        if verdict.confirmed:
            return await self._finish()
        await self._saga.undo()
        await self._steps.end_undone(self._progress.steps)
        refusal = verdict.refusal or reason
        return await self._answer(Outcome(state=state_after(refusal), refusal=refusal))

    async def _finish(self) -> Outcome:
        """Past the pivot: the cart, the parcel and the mail follow as reactions to `order.confirmed`."""
        await self._steps.close(self._progress.steps)
        return await self._answer(Outcome(state=CheckoutState.CONFIRMED))

    async def _answer(self, outcome: Outcome) -> Outcome:
        self._outcome = outcome
        workflow.upsert_search_attributes([CHECKOUT_STATE.value_set(outcome.state)])
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome
