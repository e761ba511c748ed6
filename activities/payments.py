"""Payments' local steps."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.checkout import StepDone
from contracts.payments import (
    AuthorizationDone,
    AuthorizationState,
    AuthorizePayment,
    CapturePayment,
    GiveBackPayment,
    RefundPayment,
    VoidPayment,
)

if TYPE_CHECKING:
    from services.payments.service import PaymentsService


class PaymentsActivities:
    def __init__(self, payments: "PaymentsService") -> None:
        self._payments = payments

    @activity.defn(name="payments.authorize")
    async def authorize(self, command: AuthorizePayment) -> AuthorizationDone:
        payment = await self._payments.authorize(command)
        waits = payment.action_url is not None
        return AuthorizationDone(
            attempts=activity.info().attempt,
            state=AuthorizationState.ACTION_REQUIRED if waits else AuthorizationState.HELD,
            action_url=payment.action_url,
        )

    @activity.defn(name="payments.void")
    async def void(self, command: VoidPayment) -> StepDone:
        await self._payments.void(command)
        return step_done()

    @activity.defn(name="payments.capture")
    async def capture(self, command: CapturePayment) -> StepDone:
        await self._payments.capture(command)
        return step_done()

    @activity.defn(name="payments.refund")
    async def refund(self, command: RefundPayment) -> StepDone:
        await self._payments.refund(command)
        return step_done()

    @activity.defn(name="payments.give_back")
    async def give_back(self, command: GiveBackPayment) -> StepDone:
        await self._payments.give_back(command)
        return step_done()
