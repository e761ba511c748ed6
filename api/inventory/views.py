"""What inventory's routes take and answer."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from api.requests import RequestBody
from contracts.text import Line
from services.inventory.rules import MAX_ON_HAND

if TYPE_CHECKING:
    from services.inventory.store import Stock


class StockView(BaseModel):
    """One sku's stock; what is on hand and held is for staff only."""

    sku: str
    available: int
    on_hand: int | None = None
    reserved: int | None = None

    @classmethod
    def of(cls, stock: "Stock", *, for_staff: bool) -> "StockView":
        if not for_staff:
            return cls(sku=stock.sku, available=stock.available)
        return cls(sku=stock.sku, available=stock.available, on_hand=stock.on_hand, reserved=stock.reserved)


class SetStock(RequestBody):
    on_hand: Annotated[int, Field(strict=True, ge=0, le=MAX_ON_HAND)]


class AdjustStock(RequestBody):
    delta: Annotated[int, Field(strict=True, ge=-MAX_ON_HAND, le=MAX_ON_HAND)]
    reason: Line
