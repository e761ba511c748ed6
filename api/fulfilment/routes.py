"""Fulfilment's routes, all of them the staff's."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api.caller import Staff
from api.fulfilment.desk import ShippingDesk
from api.fulfilment.views import ShipmentView, ShipParcel
from api.pages import CursorParameter, Limit, Page, cursor_behind, place_in_time
from api.requests import PathId
from contracts.fulfilment import ShipmentState
from services.fulfilment.shipment import Shipment


def _desk(request: Request) -> ShippingDesk:
    desk: ShippingDesk = request.app.state.opened.service
    return desk


Desk = Annotated[ShippingDesk, Depends(_desk)]

router = APIRouter(prefix="/v1/fulfilments", tags=["fulfilments"])


@router.get("")
async def list_shipments(
    desk: Desk,
    _: Staff,
    state: Annotated[ShipmentState | None, Query()] = None,
    limit: Limit = 20,
    cursor: CursorParameter = None,
) -> Page[ShipmentView]:
    """All parcels, newest first, of one state if asked."""
    found = await desk.fulfilment.shipments(state=state, after=place_in_time(cursor), limit=limit + 1)
    return _page(found, limit)


@router.get("/{order_id}")
async def get_shipment(order_id: PathId, desk: Desk, _: Staff) -> ShipmentView:
    """One order's parcel."""
    return ShipmentView.of(await desk.fulfilment.shipment(order_id))


@router.post("/{order_id}/ship", status_code=202)
async def ship(order_id: PathId, body: ShipParcel, desk: Desk, _: Staff) -> ShipmentView:
    """Hand a waiting parcel to a carrier: the payment is captured, the stock taken, then it is on its way."""
    return ShipmentView.of(await desk.ship(order_id, body.carrier, body.tracking))


@router.post("/{order_id}/deliver", status_code=202)
async def deliver(order_id: PathId, desk: Desk, _: Staff) -> ShipmentView:
    """The parcel has arrived. Safe to repeat."""
    return ShipmentView.of(await desk.deliver(order_id))


def _page(found: Sequence[Shipment], limit: int) -> Page[ShipmentView]:
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[ShipmentView.of(shipment) for shipment in shown],
        next_cursor=cursor_behind(shown[-1].created_at, shown[-1].order_id) if more else None,
    )
