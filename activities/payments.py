"""Payments' local steps."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.checkout import StepDone
from contracts.payments import AuthorizePayment, VoidPayment

if TYPE_CHECKING:
    from services.payments.service import PaymentsService


class PaymentsActivities:
    def __init__(self, payments: "PaymentsService") -> None:
        self._payments = payments

    @activity.defn(name="payments.authorize")
    async def authorize(self, command: AuthorizePayment) -> StepDone:
        await self._payments.authorize(command)
        return step_done()

    @activity.defn(name="payments.void")
    async def void(self, command: VoidPayment) -> StepDone:
        await self._payments.void(command)
        return step_done()
