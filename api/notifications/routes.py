"""Notifications' routes: for staff, what was written to whom and what came of it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import TypeAdapter

from api.caller import Staff
from api.notifications.views import NotificationView
from api.pages import CursorParameter, InvalidCursor, Limit, Page, decode_cursor, encode_cursor
from contracts.notifications import NotificationState
from services.notifications.service import NotificationsService


def _service(request: Request) -> NotificationsService:
    service: NotificationsService = request.app.state.opened.service
    return service


Service = Annotated[NotificationsService, Depends(_service)]
OrderId = Annotated[str, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_ID: TypeAdapter[str] = TypeAdapter(OrderId)

router = APIRouter(prefix="/v1/admin/notifications", tags=["notifications"])


@router.get("")
async def list_notifications(
    service: Service,
    _: Staff,
    state: Annotated[NotificationState | None, Query()] = None,
    order_id: OrderId | None = None,
    limit: Limit = 20,
    cursor: CursorParameter = None,
) -> Page[NotificationView]:
    """What was meant for whom and how it stands, newest first; of one state or one order if asked."""
    found = await service.notifications(
        state=state, order_id=order_id, after=_position(cursor), limit=limit + 1
    )
    shown = found[:limit]
    more = encode_cursor(shown[-1].created_at.isoformat(), shown[-1].id) if len(found) > limit else None
    return Page(items=[NotificationView.of(one) for one in shown], next_cursor=more)


def _position(cursor: str | None) -> tuple[datetime, str] | None:
    position = decode_cursor(cursor, 2)
    if position is None:
        return None
    try:
        moment = datetime.fromisoformat(str(position[0])).astimezone(UTC)
        return moment, _ID.validate_python(position[1])
    except (ValueError, OverflowError) as error:
        raise InvalidCursor("this cursor belongs to another list") from error
