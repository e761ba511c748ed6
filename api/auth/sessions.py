"""The routes of sessions: mine for me, and the ended ones for the gateway."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from api.auth.dependencies import TheAuth
from api.caller import Caller, called_by
from api.pages import CursorParameter, Limit, Page, cursor_behind, place_in_time
from contracts.auth import ENDED_SESSIONS_PAGE, EndedSessions
from contracts.identity import Identity
from contracts.moment import Moment

if TYPE_CHECKING:
    from services.auth.session_store import Session


router = APIRouter(prefix="/v1/auth/sessions", tags=["auth"])
internal = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[called_by("gateway")])


class SessionView(BaseModel):
    """One of the caller's sessions; `current` is the one that asks."""

    id: str
    created_at: datetime
    last_used_at: datetime
    address: str | None
    user_agent: str | None
    current: bool

    @classmethod
    def of(cls, session: "Session", caller: Identity) -> "SessionView":
        return cls(
            id=session.id,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            address=session.address,
            user_agent=session.user_agent,
            current=session.id == caller.session,
        )


@router.get("")
async def list_sessions(
    caller: Caller, auth: TheAuth, limit: Limit = 20, cursor: CursorParameter = None
) -> Page[SessionView]:
    """Where I am signed in, the newest first."""
    found = await auth.sessions.open_of(caller, limit + 1, place_in_time(cursor))
    page = found[:limit]
    return Page(
        items=[SessionView.of(session, caller) for session in page],
        next_cursor=cursor_behind(page[-1].created_at, page[-1].id) if len(found) > limit else None,
    )


@router.delete("", status_code=204)
async def end_every_session(caller: Caller, auth: TheAuth) -> None:
    """Sign out everywhere, here too. Safe to repeat."""
    await auth.sessions.logout_everywhere(caller)


@router.delete("/{id}", status_code=204)
async def end_session(
    id: Annotated[str, Path(max_length=64)],  # noqa: A002 - the path's name
    caller: Caller,
    auth: TheAuth,
) -> None:
    """End one of my sessions. Safe to repeat."""
    await auth.sessions.end(caller, id)


@internal.get("/sessions/ended")
async def ended_sessions(
    auth: TheAuth,
    after: Annotated[Moment | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1, le=ENDED_SESSIONS_PAGE)] = None,
    cursor: CursorParameter = None,
) -> EndedSessions:
    """The sessions that ended since then, and retired keys, for the gateway, which refuses their tokens."""
    # A gateway that is older than pages names no limit, and would take the first page for all of them.
    if limit is None:
        return await auth.sessions.ended(after)
    found = await auth.sessions.ended(after, limit + 1, place_in_time(cursor))
    if len(found.items) <= limit:
        return found
    items = found.items[:limit]
    next_cursor = cursor_behind(items[-1].ended_at, items[-1].session)
    return found.model_copy(update={"items": items, "next_cursor": next_cursor})
