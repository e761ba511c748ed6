"""What fulfilment's routes take and answer."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, Field

from api.requests import RequestBody
from contracts.fulfilment import ShipmentState
from contracts.inventory import StockLine
from contracts.text import Line

if TYPE_CHECKING:
    from services.fulfilment.shipment import Shipment


class ShipParcel(RequestBody):
    """Who carries the parcel, and under which number."""

    carrier: Annotated[Line, Field(max_length=64, examples=["DHL"])]
    tracking: Annotated[Line, Field(max_length=128, examples=["00340434161094042557"])]


class ShipmentView(BaseModel):
    """A parcel as the staff sees it; `reason` says why a held one is held."""

    order_id: str
    state: ShipmentState
    lines: tuple[StockLine, ...]
    carrier: str | None
    tracking: str | None
    reason: str | None
    reminders: int = Field(description="how often the staff was told that it still sits")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shipment: "Shipment") -> Self:
        return cls(
            order_id=shipment.order_id,
            state=shipment.state,
            lines=shipment.lines,
            carrier=shipment.carrier,
            tracking=shipment.tracking,
            reason=shipment.reason,
            reminders=shipment.reminders,
            created_at=shipment.created_at,
            updated_at=shipment.updated_at,
        )
