"""Fulfilment's steps: those of its own workflow, and the stop that a cancellation asks for."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempts import step_done
from contracts.checkout import StepDone
from contracts.fulfilment import (
    FinishShipping,
    HoldShipment,
    LookAtShipment,
    Remind,
    ShipmentSeen,
    StopShipment,
)

if TYPE_CHECKING:
    from services.fulfilment.service import FulfilmentService


class FulfilmentActivities:
    def __init__(self, fulfilment: "FulfilmentService") -> None:
        self._fulfilment = fulfilment

    @activity.defn(name="fulfilment.look")
    async def look(self, command: LookAtShipment) -> ShipmentSeen:
        return await self._fulfilment.look(command)

    @activity.defn(name="fulfilment.stop")
    async def stop(self, command: StopShipment) -> StepDone:
        await self._fulfilment.stop(command)
        return step_done()

    @activity.defn(name="fulfilment.hold")
    async def hold(self, command: HoldShipment) -> StepDone:
        await self._fulfilment.hold(command)
        return step_done()

    @activity.defn(name="fulfilment.finish_shipping")
    async def finish_shipping(self, command: FinishShipping) -> StepDone:
        await self._fulfilment.finish_shipping(command)
        return step_done()

    @activity.defn(name="fulfilment.remind")
    async def remind(self, command: Remind) -> StepDone:
        await self._fulfilment.remind(command)
        return step_done()
