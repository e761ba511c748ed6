"""Auth's routes: a few lines each over the service."""

from fastapi import APIRouter, Response

from api.auth.dependencies import CallersDevice, TheAuth
from api.auth.views import AccountView, KeySetView, Login, Refresh, Register, TokensView, UserView
from api.caller import Caller
from contracts.auth import KEY_SET_MAX_AGE_SECONDS

router = APIRouter(prefix="/v1/auth", tags=["auth"])
well_known = APIRouter(prefix="/.well-known", tags=["auth"])


@router.post("/register", status_code=201)
async def register(body: Register, auth: TheAuth) -> UserView:
    """Open a customer's account."""
    return UserView.of(await auth.accounts.register(body.email, body.password, body.name))


@router.post("/login")
async def login(body: Login, auth: TheAuth, device: CallersDevice, response: Response) -> TokensView:
    """Sign in."""
    response.headers["cache-control"] = "no-store"
    return TokensView.of(await auth.sessions.login(body.email, body.password, device))


@router.post("/refresh")
async def refresh(body: Refresh, auth: TheAuth, response: Response) -> TokensView:
    """Spend a refresh token for new tokens; seconds later the same again, after that it ends the session."""
    response.headers["cache-control"] = "no-store"
    return TokensView.of(await auth.sessions.refresh(body.refresh_token))


@router.post("/logout", status_code=204)
async def logout(caller: Caller, auth: TheAuth) -> None:
    """End the session; its access token opens nothing any more, within seconds. Safe to repeat."""
    await auth.sessions.logout(caller)


@router.get("/me")
async def me(caller: Caller, auth: TheAuth) -> AccountView:
    """Who is signed in."""
    return AccountView.of(await auth.accounts.user(caller.subject))


@well_known.get("/jwks.json")
async def jwks(auth: TheAuth, response: Response) -> KeySetView:
    """The keys that verify access tokens."""
    response.headers["cache-control"] = f"public, max-age={KEY_SET_MAX_AGE_SECONDS}"
    return KeySetView(keys=await auth.keys.published())
