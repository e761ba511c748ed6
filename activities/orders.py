"""The orders service's own steps: local activities, same service and store as its workflows."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.checkout import (
    AwaitAction,
    BeginUndo,
    CallOperator,
    CloseCheckout,
    ConfirmOrder,
    EndUndone,
    StepDone,
    UndoVerdict,
)
from contracts.orders import CallOperatorForRefund, FinishCancellation, RefuseCancellation, SettleRefund

if TYPE_CHECKING:
    from services.orders.changes import OrderChanges
    from services.orders.service import OrdersService


class OrdersActivities:
    """The steps of a checkout."""

    def __init__(self, orders: "OrdersService") -> None:
        self._orders = orders

    @activity.defn(name="orders.confirm")
    async def confirm(self, command: ConfirmOrder) -> StepDone:
        await self._orders.confirm(command)
        return step_done()

    @activity.defn(name="orders.await_action")
    async def await_action(self, command: AwaitAction) -> None:
        await self._orders.await_action(command)

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


class OrderChangesActivities:
    """How a change of an order ended that somebody asked for after its checkout."""

    def __init__(self, changes: "OrderChanges") -> None:
        self._changes = changes

    @activity.defn(name="orders.refuse_cancellation")
    async def refuse_cancellation(self, command: RefuseCancellation) -> None:
        await self._changes.refuse_cancellation(command)

    @activity.defn(name="orders.finish_cancellation")
    async def finish_cancellation(self, command: FinishCancellation) -> None:
        await self._changes.finish_cancellation(command)

    @activity.defn(name="orders.settle_refund")
    async def settle_refund(self, command: SettleRefund) -> None:
        await self._changes.settle_refund(command)

    @activity.defn(name="orders.call_operator_for_refund")
    async def call_operator_for_refund(self, command: CallOperatorForRefund) -> None:
        await self._changes.call_operator_for_refund(command)
