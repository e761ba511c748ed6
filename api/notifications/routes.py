"""Notifications' routes: for staff, what was written to whom and what came of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api.caller import Staff
from api.notifications.views import NotificationView
from api.pages import CursorParameter, Limit, Page, cursor_behind, place_in_time
from api.requests import ID_PATTERN
from contracts.notifications import NotificationState
from services.notifications.service import NotificationsService


def _service(request: Request) -> NotificationsService:
    service: NotificationsService = request.app.state.opened.service
    return service


Service = Annotated[NotificationsService, Depends(_service)]
OrderId = Annotated[str, Query(pattern=ID_PATTERN)]

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
        state=state, order_id=order_id, after=place_in_time(cursor), limit=limit + 1
    )
    shown = found[:limit]
    more = cursor_behind(shown[-1].created_at, shown[-1].id) if len(found) > limit else None
    return Page(items=[NotificationView.of(one) for one in shown], next_cursor=more)
