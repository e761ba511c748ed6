"""The orders service's own steps of a checkout: local activities, same service and store as the workflow."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.checkout import (
    BeginUndo,
    CallOperator,
    CloseCheckout,
    ConfirmOrder,
    EndUndone,
    StepDone,
    UndoVerdict,
)

if TYPE_CHECKING:
    from services.orders.service import OrdersService


class OrdersActivities:
    def __init__(self, orders: "OrdersService") -> None:
        self._orders = orders

    @activity.defn(name="orders.confirm")
    async def confirm(self, command: ConfirmOrder) -> StepDone:
        await self._orders.confirm(command)
        return step_done()

    @activity.defn(name="orders.begin_undo")
    async def begin_undo(self, command: BeginUndo) -> UndoVerdict:
        return await self._orders.begin_undo(command)

    @activity.defn(name="orders.end_undone")
    async def end_undone(self, command: EndUndone) -> None:
        await self._orders.end_undone(command)

    @activity.defn(name="orders.close")
    async def close(self, command: CloseCheckout) -> None:
        await self._orders.close(command)

    @activity.defn(name="orders.call_operator")
    async def call_operator(self, command: CallOperator) -> None:
        await self._orders.call_operator(command)
