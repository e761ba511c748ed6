"""What inventory's routes take and answer."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from api.requests import RequestBody
from contracts.text import Line

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
    on_hand: Annotated[int, Field(strict=True, ge=0, le=10_000_000)]


class AdjustStock(RequestBody):
    delta: Annotated[int, Field(strict=True, ge=-10_000_000, le=10_000_000)]
    reason: Line
