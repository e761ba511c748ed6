"""What carts answers its peers; the gateway does not route here."""

from fastapi import APIRouter

from api.caller import called_by
from api.carts.dependencies import Carts, Named
from contracts.carts import BoughtCart, CartSnapshot, Repricing

router = APIRouter(prefix="/internal/carts", include_in_schema=False, dependencies=[called_by("orders")])


@router.get("/{cart_id}/snapshot")
async def snapshot(named: Named, carts: Carts) -> CartSnapshot:
    """The cart as a checkout takes it."""
    return await carts.snapshot(named)


@router.post("/{cart_id}/prices")
async def reprice(named: Named, repricing: Repricing, carts: Carts) -> CartSnapshot:
    """Take over fresh prices and mark the lines that they change. Safe to repeat."""
    return await carts.reprice(named, repricing)


@router.post("/settlements")
async def settle(bought: BoughtCart, carts: Carts) -> BoughtCart:
    """Take out what an order bought, before the event of it is heard. Safe to repeat."""
    await carts.settle(bought)
    return bought
