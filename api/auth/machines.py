"""Machines' API keys: admins make and end them, and the gateway asks whose one is."""

from fastapi import APIRouter, Response, status

from api.auth.dependencies import TheAuth
from api.auth.desk_views import ApiKeyView, CreateApiKey, NewApiKeyView
from api.caller import Admin, called_by
from api.pages import CursorParameter, Limit, Page, cursor_behind, place_in_time
from api.requests import PathId
from contracts.auth import ApiKeyCheck, ApiKeyGrant

router = APIRouter(prefix="/v1/admin/api-keys", tags=["auth"])
internal = APIRouter(
    prefix="/internal/api-keys", include_in_schema=False, dependencies=[called_by("gateway")]
)


@router.get("")
async def list_api_keys(
    auth: TheAuth, _: Admin, limit: Limit = 20, cursor: CursorParameter = None
) -> Page[ApiKeyView]:
    """Every key that was made, those that have ended too, newest first."""
    found = await auth.api_keys.keys(after=place_in_time(cursor), limit=limit + 1)
    shown = found[:limit]
    more = cursor_behind(shown[-1].created_at, shown[-1].id) if len(found) > limit else None
    return Page(items=[ApiKeyView.of(key) for key in shown], next_cursor=more)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_api_key(
    body: CreateApiKey, auth: TheAuth, admin: Admin, response: Response
) -> NewApiKeyView:
    """Make a key; this answer is the only one that shows it. Each time, it is another one."""
    response.headers["cache-control"] = "no-store"
    new = await auth.api_keys.create(
        body.name, body.scopes, created_by=admin.subject, expires_at=body.expires_at
    )
    return NewApiKeyView.made(new)


@router.delete("/{key_id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_api_key(key_id: PathId, auth: TheAuth, _: Admin) -> None:
    """End a key: within five seconds it opens nothing. Safe to repeat."""
    await auth.api_keys.revoke(key_id)


@internal.post("/checks")
async def check_api_key(body: ApiKeyCheck, auth: TheAuth) -> ApiKeyGrant:
    """Whose key this is and what it may do; refused where it does not hold."""
    return await auth.api_keys.check(body.key)
