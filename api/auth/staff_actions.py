"""The staff's trail: the gateway adds to it, admins read it."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from api.auth.dependencies import TheAuth
from api.auth.desk_views import StaffActionView
from api.caller import Admin, called_by
from api.pages import CursorParameter, Limit, Page, cursor_behind, place_in_time
from api.requests import PathId
from contracts.auth import StaffAction, StaffActionEnded, StaffActionNoted
from contracts.moment import Moment

Actor = Annotated[
    str | None, Query(pattern=r"^[^\x00]{1,100}$", description="a user's id, `key:...` or `cli:...`")
]
From = Annotated[Moment | None, Query(alias="from", description="the first moment, with its time zone")]
Until = Annotated[Moment | None, Query(description="the moment after the last")]

router = APIRouter(prefix="/v1/admin/staff-actions", tags=["auth"])
internal = APIRouter(
    prefix="/internal/staff-actions", include_in_schema=False, dependencies=[called_by("gateway")]
)


@router.get("")
async def list_staff_actions(
    auth: TheAuth,
    _: Admin,
    actor: Actor = None,
    since: From = None,
    until: Until = None,
    limit: Limit = 20,
    cursor: CursorParameter = None,
) -> Page[StaffActionView]:
    """What the staff did, newest first; by one actor or in one span of time if asked."""
    found = await auth.staff_actions.actions(
        actor=actor, since=since, until=until, after=place_in_time(cursor), limit=limit + 1
    )
    shown = found[:limit]
    more = cursor_behind(shown[-1].noted_at, shown[-1].id) if len(found) > limit else None
    return Page(items=[StaffActionView.of(noted) for noted in shown], next_cursor=more)


@internal.post("", status_code=status.HTTP_201_CREATED)
async def note_staff_action(body: StaffAction, auth: TheAuth) -> StaffActionNoted:
    """Write down what is about to be done."""
    return StaffActionNoted(id=await auth.staff_actions.note(body))


@internal.post("/{action_id}/outcome")
async def end_staff_action(action_id: PathId, body: StaffActionEnded, auth: TheAuth) -> StaffActionEnded:
    """Add how it ended. Safe to repeat: the first word stays."""
    await auth.staff_actions.end(action_id, body.status)
    return body
