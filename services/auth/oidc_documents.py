"""What an OpenID provider publishes about itself, kept for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, Self, TypeVar

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from pydantic import BaseModel, Field, JsonValue, ValidationError, model_validator

from runtime.settings import OIDC_URL
from services.auth.errors import OidcUnavailable
from services.auth.oidc_http import asked

Document = TypeVar("Document")
Url = Annotated[str, Field(pattern=OIDC_URL)]

FRESH_SECONDS = 600.0
# An unknown key may be a new one, or an invention: the provider is asked at most this often.
COOLDOWN_SECONDS = 10.0
COOLDOWN_AFTER_FAILURE_SECONDS = 1.0
WELL_KNOWN = "/.well-known/openid-configuration"
_USABLE_KEYS = frozenset({"RSA", "EC"})
# A provider does not publish private parts; one that did would not be helped by our holding them.
_PUBLIC_PARTS = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")


class Metadata(BaseModel):
    """OpenID Connect Discovery 1.0, as much of it as we use."""

    issuer: str
    authorization_endpoint: Url
    token_endpoint: Url
    jwks_uri: Url
    userinfo_endpoint: Url | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @model_validator(mode="after")
    def _as_safe_as_the_issuer(self) -> Self:
        named = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        if self.issuer.startswith("https:") and any(url and not url.startswith("https:") for url in named):
            raise ValueError("an endpoint of this issuer is not on https")
        return self


class _Jwks(BaseModel):
    keys: tuple[dict[str, JsonValue], ...]


class Published(Generic[Document]):
    """One document: fetched once for all who ask, again when it is old, and seldom while that fails."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Document]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._held: Document | None = None
        self._tried_at = float("-inf")
        self._failed = False
        self._fetching = asyncio.Lock()

    async def current(self) -> Document:
        """The document, at most ten minutes old; OidcUnavailable when it cannot be had."""
        async with self._fetching:
            if self._held is None or self._now() - self._tried_at >= FRESH_SECONDS:
                return await self._fetched()
            return self._held

    async def newer(self, known: Document) -> Document:
        """The document as it is now, if it was not asked for a moment ago."""
        async with self._fetching:
            if self._held is not known and self._held is not None:
                return self._held
            if self._now() - self._tried_at < COOLDOWN_SECONDS:
                return known
            return await self._fetched()

    async def _fetched(self) -> Document:
        if self._failed and self._now() - self._tried_at < COOLDOWN_AFTER_FAILURE_SECONDS:
            raise OidcUnavailable("the provider could not be reached a moment ago", retry_after=5)
        self._tried_at = self._now()
        self._failed = False
        self._held = None
        try:
            self._held = await self._fetch()
        except OidcUnavailable:
            self._failed = True
            raise
        return self._held


async def fetched_metadata(session: aiohttp.ClientSession, issuer: str) -> Metadata:
    """What the issuer says of itself; another issuer's document is not believed."""
    answer = await asked(session, "GET", issuer.rstrip("/") + WELL_KNOWN)
    try:
        metadata = Metadata.model_validate_json(answer.body)
    except ValidationError as error:
        raise OidcUnavailable("the provider's discovery document is not usable", retry_after=5) from error
    if answer.status != 200 or metadata.issuer != issuer:
        raise OidcUnavailable("the provider's discovery document is not its own", retry_after=5)
    return metadata


async def fetched_keys(session: aiohttp.ClientSession, jwks_uri: str) -> KeySet:
    """The keys that may sign for the provider; what is of another kind or use is left out."""
    answer = await asked(session, "GET", jwks_uri)
    try:
        published = _Jwks.model_validate_json(answer.body).keys
    except ValidationError as error:
        raise OidcUnavailable("the provider's keys are not usable", retry_after=5) from error
    usable = [key for each in published if (key := _verifying_key(each)) is not None]
    return KeySet(usable)


def _verifying_key(published: dict[str, JsonValue]) -> Key | None:
    """The key, if it is one that verifies; RFC 7517 wants the others passed over."""
    if published.get("kty") not in _USABLE_KEYS or published.get("use") == "enc":
        return None
    public: dict[str, str | list[str]] = {
        name: value for name in _PUBLIC_PARTS if isinstance(value := published.get(name), str)
    }
    try:
        return import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
