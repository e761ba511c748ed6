"""Carts' local steps."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.carts import SettleCart
from contracts.checkout import StepDone

if TYPE_CHECKING:
    from services.carts.service import CartService


class CartsActivities:
    def __init__(self, carts: "CartService") -> None:
        self._carts = carts

    @activity.defn(name="carts.settle")
    async def settle(self, command: SettleCart) -> StepDone:
        await self._carts.settle(command)
        return step_done()
