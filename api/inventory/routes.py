"""Inventory's routes: a few lines each over the service."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from api.caller import OptionalCaller, Staff, called_by
from api.inventory.views import AdjustStock, SetStock, StockView
from contracts.inventory import StockLevel, StockLevels, StockQuery
from contracts.money import AddressableSku
from services.inventory.service import InventoryService


def _service(request: Request) -> InventoryService:
    service: InventoryService = request.app.state.opened.service
    return service


Inventory = Annotated[InventoryService, Depends(_service)]
SkuPath = Annotated[AddressableSku, Path()]

router = APIRouter(prefix="/v1/inventory", tags=["inventory"])
internal = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[called_by("products")])


@router.get("/{sku}", response_model_exclude_none=True)
async def get_stock(sku: SkuPath, inventory: Inventory, caller: OptionalCaller) -> StockView:
    """What can be had of a sku; staff also see what is on hand and held."""
    stock = await inventory.stock_of(sku)
    return StockView.of(stock, for_staff=caller is not None and caller.is_staff)


@router.put("/{sku}")
async def set_stock(sku: SkuPath, body: SetStock, inventory: Inventory, _: Staff) -> StockView:
    """Count a sku anew. Safe to repeat."""
    return StockView.of(await inventory.set_on_hand(sku, body.on_hand), for_staff=True)


@router.post("/{sku}/adjustments")
async def adjust_stock(sku: SkuPath, body: AdjustStock, inventory: Inventory, _: Staff) -> StockView:
    """Add to or take from a sku's stock, with the reason."""
    return StockView.of(await inventory.adjust(sku, body.delta, body.reason), for_staff=True)


@internal.post("/stock")
async def stock_levels(body: StockQuery, inventory: Inventory) -> StockLevels:
    """What can be had of many skus, for our own processes."""
    found = await inventory.stock_of_many(body.skus)
    return StockLevels(
        items=tuple(StockLevel(sku=stock.sku, available=stock.available) for stock in found.values())
    )
