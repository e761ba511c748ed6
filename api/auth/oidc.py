"""Signing in with an OpenID provider, over HTTP: the browser carries the sign-in in a cookie meanwhile."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, SecretStr

from api.auth.dependencies import CallersDevice, TheAuth
from api.auth.views import TokensView
from services.auth.oidc import OidcAnswer
from services.auth.oidc_flow import LIFETIME

COOKIE = "micromart_oidc"
# Only we can have set a cookie of this name: no page of a sibling domain can plant one.
HTTPS_COOKIE = f"__Host-{COOKIE}"


class OidcProviderView(BaseModel):
    """A provider to sign in with: the name that stands in its routes, and what people call it."""

    name: str
    label: str


class OidcProvidersView(BaseModel):
    items: Sequence[OidcProviderView]


class DepartureView(BaseModel):
    """Where the browser goes to sign in."""

    authorization_url: str


ProviderName = Annotated[str, Path(max_length=32)]
# What a provider sends is its own affair, within bounds that keep an address an address.
Parameter = Annotated[str | None, Query(max_length=1_000)]
Code = Annotated[SecretStr | None, Query(max_length=4_000)]


def oidc_router(*, https: bool) -> APIRouter:
    """The routes; where the shop is on https, the cookie never leaves it."""
    router = APIRouter(prefix="/v1/auth/oidc", tags=["auth"])
    cookie = HTTPS_COOKIE if https else COOKIE

    @router.get("", name="oidc_providers")
    async def providers(auth: TheAuth) -> OidcProvidersView:
        """The providers to sign in with."""
        return OidcProvidersView(
            items=[OidcProviderView(name=name, label=label) for name, label in auth.oidc.labels()]
        )

    @router.post("/{provider}/authorize", name="oidc_authorize")
    async def authorize(provider: ProviderName, auth: TheAuth, response: Response) -> DepartureView:
        """Begin a sign-in; the cookie that comes with the answer is needed to end it."""
        departure = await auth.oidc.depart(provider)
        response.headers["cache-control"] = "no-store"
        response.set_cookie(
            cookie,
            departure.flow.get_secret_value(),
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=https,
            httponly=True,
            samesite="lax",
        )
        return DepartureView(authorization_url=departure.authorization_url)

    @router.get("/{provider}/callback", name="oidc_callback")
    async def callback(
        provider: ProviderName,
        auth: TheAuth,
        device: CallersDevice,
        request: Request,
        response: Response,
        state: Parameter = None,
        code: Code = None,
        iss: Parameter = None,
        error: Parameter = None,
    ) -> TokensView:
        """End a sign-in: where the provider sends the browser back to. A code is spent once."""
        flow = request.cookies.get(cookie)
        answer = OidcAnswer(state=state, code=code, issuer=iss, error=error)
        tokens = await auth.oidc.arrive(
            provider, answer, SecretStr(flow) if flow is not None else None, device
        )
        response.headers["cache-control"] = "no-store"
        response.delete_cookie(cookie, path="/", secure=https, httponly=True, samesite="lax")
        return TokensView.of(tokens)

    return router
