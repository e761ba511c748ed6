"""What fulfilment is told, and what it says."""

from datetime import timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.commands import Command
from contracts.events import EventData
from contracts.inventory import StockLine

WORKFLOW = "Fulfilment"
WAKE = "wake"


class ShipmentState(StrEnum):
    """A parcel's life. From `shipping` on it cannot be stopped; `held` waits for a person, as `open` does."""

    OPEN = "open"
    SHIPPING = "shipping"
    HELD = "held"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        return self in (ShipmentState.DELIVERED, ShipmentState.STOPPED)

    @property
    def waits_for_staff(self) -> bool:
        """Whether it sits in our house until a person ships it."""
        return self in (ShipmentState.OPEN, ShipmentState.HELD)


class Fulfilment(BaseModel):
    """What a parcel's workflow is given; where it goes to stays in the order."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    lines: tuple[StockLine, ...]
    reminder: timedelta
    traceparent: str | None = None

    @property
    def workflow_id(self) -> str:
        return f"fulfilment-{self.order_id}"


class LookAtShipment(Command):
    """The parcel's workflow looks at the shipment's row, which decides."""


class ShipmentSeen(BaseModel):
    """What the workflow saw there."""

    model_config = ConfigDict(frozen=True)

    state: ShipmentState
    reason: str | None = None
    reminders: int = 0


class StopShipment(Command):
    """Never send this parcel; refused once it is being shipped. One that is not open yet is never opened."""


class HoldShipment(Command):
    """Shipping did not get through: the parcel waits for a person."""

    reason: str


class FinishShipping(Command):
    """The payment is captured and the stock taken: the parcel is on its way."""


class Remind(Command):
    """The parcel has been sitting: tell the staff, for the nth time."""

    times: int


class ShipmentChanged(EventData):
    """All of a shipment after a change."""

    order_id: str
    state: ShipmentState
    lines: tuple[StockLine, ...]
    carrier: str | None = None
    tracking: str | None = None
    reason: str | None = None


SHIPMENT_OPENED = "fulfilment.opened"
SHIPMENT_STOPPED = "fulfilment.stopped"
SHIPPING_REQUESTED = "fulfilment.shipping_requested"
SHIPMENT_HELD = "fulfilment.held"
SHIPMENT_OVERDUE = "fulfilment.overdue"
SHIPMENT_SHIPPED = "fulfilment.shipped"
SHIPMENT_DELIVERED = "fulfilment.delivered"
