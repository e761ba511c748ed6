"""What inventory is told, and what it says."""

from pydantic import BaseModel, ConfigDict, Field

from contracts.commands import Command
from contracts.events import EventData
from contracts.money import Quantity, Sku

MAX_STOCK_SKUS = 1_000


class StockLine(BaseModel):
    """So many units of one sku."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Quantity


class ReserveStock(Command):
    """Hold every line for an order, or none of them."""

    lines: tuple[StockLine, ...]


class ReleaseStock(Command):
    """Give back what an order holds, and refuse a reserve of it that comes late."""


class TakeStock(Command):
    """What the order holds has left the building: take it from on_hand."""


class StockQuery(BaseModel):
    """How much can be had of these?"""

    model_config = ConfigDict(frozen=True)

    skus: tuple[Sku, ...] = Field(max_length=MAX_STOCK_SKUS)


class StockLevel(BaseModel):
    """What can be had of one sku at this moment."""

    model_config = ConfigDict(frozen=True)

    sku: str
    available: int


class StockLevels(BaseModel):
    """A level for every sku that has a stock record."""

    model_config = ConfigDict(frozen=True)

    items: tuple[StockLevel, ...]


class StockChanged(EventData):
    """All of a sku's stock after a change; an older sequence can be dropped."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    reason: str


STOCK_CHANGED = "inventory.stock_changed"
