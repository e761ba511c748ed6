"""What orders answers its peers; the gateway does not route here."""

from fastapi import APIRouter

from api.caller import called_by
from api.orders.dependencies import Desk
from api.requests import PathId
from contracts.orders import BoughtLine, OrderContact

router = APIRouter(
    prefix="/internal/orders", include_in_schema=False, dependencies=[called_by("notifications")]
)


@router.get("/{order_id}/contact")
async def contact(order_id: PathId, desk: Desk) -> OrderContact:
    """Whom to write to about an order, and what it holds."""
    order = await desk.orders.order(order_id)
    return OrderContact(
        email=order.email,
        name=order.shipping_address.name,
        lines=tuple(
            BoughtLine(title=line.title, quantity=line.quantity, line_total=line.line_total)
            for line in order.lines
        ),
        total=order.total,
    )
