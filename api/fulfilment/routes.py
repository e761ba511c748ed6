"""Fulfilment's routes, all of them the staff's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import TypeAdapter

from api.caller import Staff
from api.fulfilment.desk import ShippingDesk
from api.fulfilment.views import ShipmentView, ShipParcel
from api.pages import CursorParameter, InvalidCursor, Limit, Page, decode_cursor, encode_cursor
from contracts.fulfilment import ShipmentState
from services.fulfilment.shipment import Shipment


def _desk(request: Request) -> ShippingDesk:
    desk: ShippingDesk = request.app.state.opened.service
    return desk


Desk = Annotated[ShippingDesk, Depends(_desk)]
OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

router = APIRouter(prefix="/v1/fulfilments", tags=["fulfilments"])
_ORDER_ID: TypeAdapter[str] = TypeAdapter(OrderId)


@router.get("")
async def list_shipments(
    desk: Desk,
    _: Staff,
    state: Annotated[ShipmentState | None, Query()] = None,
    limit: Limit = 20,
    cursor: CursorParameter = None,
) -> Page[ShipmentView]:
    """All parcels, newest first, of one state if asked."""
    found = await desk.fulfilment.shipments(state=state, after=_position(cursor), limit=limit + 1)
    return _page(found, limit)


@router.get("/{order_id}")
async def get_shipment(order_id: OrderId, desk: Desk, _: Staff) -> ShipmentView:
    """One order's parcel."""
    return ShipmentView.of(await desk.fulfilment.shipment(order_id))


@router.post("/{order_id}/ship", status_code=202)
async def ship(order_id: OrderId, body: ShipParcel, desk: Desk, _: Staff) -> ShipmentView:
    """Hand a waiting parcel to a carrier: the payment is captured, the stock taken, then it is on its way."""
    return ShipmentView.of(await desk.ship(order_id, body.carrier, body.tracking))


@router.post("/{order_id}/deliver", status_code=202)
async def deliver(order_id: OrderId, desk: Desk, _: Staff) -> ShipmentView:
    """The parcel has arrived. Safe to repeat."""
    return ShipmentView.of(await desk.deliver(order_id))


def _page(found: Sequence[Shipment], limit: int) -> Page[ShipmentView]:
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[ShipmentView.of(shipment) for shipment in shown],
        next_cursor=encode_cursor(shown[-1].created_at.isoformat(), shown[-1].order_id) if more else None,
    )


def _position(cursor: str | None) -> tuple[datetime, str] | None:
    position = decode_cursor(cursor, 2)
    if position is None:
        return None
    try:
        moment = datetime.fromisoformat(str(position[0])).astimezone(UTC)
        return moment, _ORDER_ID.validate_python(position[1])
    except (ValueError, OverflowError) as error:
        raise InvalidCursor("this cursor belongs to another list") from error
