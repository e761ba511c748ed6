"""Auth's routes: a few lines each over the service."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.auth.views import AccountView, KeySetView, Login, Refresh, Register, TokensView, UserView
from api.caller import Caller
from services.auth.factory import Auth
from services.auth.service import Accounts, Sessions


def _accounts(request: Request) -> Accounts:
    auth: Auth = request.app.state.opened.service
    return auth.accounts


def _sessions(request: Request) -> Sessions:
    auth: Auth = request.app.state.opened.service
    return auth.sessions


AccountsService = Annotated[Accounts, Depends(_accounts)]
SessionsService = Annotated[Sessions, Depends(_sessions)]

router = APIRouter(prefix="/v1/auth", tags=["auth"])
well_known = APIRouter(prefix="/.well-known", tags=["auth"])


@router.post("/register", status_code=201)
async def register(body: Register, accounts: AccountsService) -> UserView:
    """Open a customer's account."""
    return UserView.of(await accounts.register(body.email, body.password, body.name))


@router.post("/login")
async def login(body: Login, sessions: SessionsService, response: Response) -> TokensView:
    """Sign in."""
    response.headers["cache-control"] = "no-store"
    return TokensView.of(await sessions.login(body.email, body.password))


@router.post("/refresh")
async def refresh(body: Refresh, sessions: SessionsService, response: Response) -> TokensView:
    """Spend a refresh token for new tokens; a second use of it ends the session."""
    response.headers["cache-control"] = "no-store"
    return TokensView.of(await sessions.refresh(body.refresh_token))


@router.post("/logout", status_code=204)
async def logout(caller: Caller, sessions: SessionsService) -> None:
    """End the session; its access token still holds until it expires. Safe to repeat."""
    await sessions.logout(caller)


@router.get("/me")
async def me(caller: Caller, accounts: AccountsService) -> AccountView:
    """Who is signed in."""
    return AccountView.of(await accounts.user(caller.subject))


@well_known.get("/jwks.json")
async def jwks(sessions: SessionsService, response: Response) -> KeySetView:
    """The keys that verify access tokens."""
    response.headers["cache-control"] = "public, max-age=300"
    return KeySetView(keys=await sessions.public_keys())
