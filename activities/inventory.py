"""Inventory's local steps."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.checkout import StepDone
from contracts.inventory import ReleaseStock, ReserveStock, TakeStock

if TYPE_CHECKING:
    from services.inventory.service import InventoryService


class InventoryActivities:
    def __init__(self, inventory: "InventoryService") -> None:
        self._inventory = inventory

    @activity.defn(name="inventory.reserve")
    async def reserve(self, command: ReserveStock) -> StepDone:
        await self._inventory.reserve(command)
        return step_done()

    @activity.defn(name="inventory.release")
    async def release(self, command: ReleaseStock) -> StepDone:
        await self._inventory.release(command)
        return step_done()

    @activity.defn(name="inventory.take")
    async def take(self, command: TakeStock) -> StepDone:
        await self._inventory.take(command)
        return step_done()
