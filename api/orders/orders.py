"""The orders' routes: a buyer's own, and staff's view of all."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from api.caller import Caller, Staff
from api.orders.change_desk import ChangeDesk
from api.orders.dependencies import AnyVisitor, Changes, Desk
from api.orders.views import OrderView
from api.pages import CursorParameter, Limit, Page, cursor_behind, place_in_time
from api.requests import PathId
from contracts.orders import OrderState
from services.orders.order import Order

router = APIRouter(tags=["orders"])


@router.get("/v1/orders")
async def list_orders(
    desk: Desk, changes: Changes, caller: Caller, limit: Limit = 20, cursor: CursorParameter = None
) -> Page[OrderView]:
    """The caller's own orders, newest first."""
    found = await desk.orders.orders(customer_id=caller.subject, after=place_in_time(cursor), limit=limit + 1)
    return await _page(changes, found, limit)


@router.get("/v1/orders/{order_id}")
async def get_order(order_id: PathId, desk: Desk, changes: Changes, visitor: AnyVisitor) -> OrderView:
    """One order of the caller's; a guest proves it with X-Order-Token."""
    order = await desk.order_for(order_id, visitor)
    return OrderView.of(order, await changes.refunds_of(order))


@router.get("/v1/admin/orders")
async def list_all_orders(
    desk: Desk,
    changes: Changes,
    _: Staff,
    state: Annotated[OrderState | None, Query()] = None,
    limit: Limit = 20,
    cursor: CursorParameter = None,
) -> Page[OrderView]:
    """Everybody's orders, newest first, of one state if asked."""
    found = await desk.orders.orders(states=_states(state), after=place_in_time(cursor), limit=limit + 1)
    return await _page(changes, found, limit)


@router.get("/v1/admin/orders/{order_id}")
async def get_any_order(order_id: PathId, desk: Desk, changes: Changes, _: Staff) -> OrderView:
    """Any order."""
    order = await desk.orders.order(order_id)
    return OrderView.of(order, await changes.refunds_of(order))


def _states(state: OrderState | None) -> tuple[OrderState, ...]:
    """`cancelling` is inside `pending` for everybody outside the saga."""
    if state is None:
        return ()
    return tuple(each for each in OrderState if each.public is state.public)


async def _page(changes: ChangeDesk, found: Sequence[Order], limit: int) -> Page[OrderView]:
    shown = found[:limit]
    refunds = await changes.refunds_of(*shown)
    more = cursor_behind(shown[-1].created_at, shown[-1].id) if len(found) > limit else None
    return Page(items=[OrderView.of(order, refunds) for order in shown], next_cursor=more)
