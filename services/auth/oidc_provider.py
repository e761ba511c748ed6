"""One OpenID provider: where its users are sent, and whom it vouches for when they come back."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

import aiohttp
from authlib.oauth2.client import DEFAULT_HEADERS, OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, Field, SecretStr, ValidationError

from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.settings import OidcProvider
from services.auth.errors import OidcRefused, OidcUnavailable
from services.auth.identities import Vouched
from services.auth.oidc_documents import Metadata, Published, fetched_keys, fetched_metadata
from services.auth.oidc_flow import Flow
from services.auth.oidc_http import asked

log = get_logger(__name__)

_Answer = TypeVar("_Answer", bound=BaseModel)

SCOPES = "openid email profile"
SKEW = timedelta(seconds=30)
# Signatures that only the provider can make: with an HS key, whoever knows our client secret could.
ALGORITHMS = frozenset({f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)})


class _TokenAnswer(BaseModel):
    id_token: Annotated[SecretStr, Field(max_length=65_536)]
    access_token: SecretStr | None = None


class _TokenRefusal(BaseModel):
    error: str


class _Claims(BaseModel):
    """What of a verified token or of the userinfo endpoint we use."""

    sub: Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,255}$")]
    email: str | None = None
    # A few providers write it as a string.
    email_verified: bool | str | None = None
    name: str | None = None


class Provider:
    """A provider as the settings name it, and our client there."""

    def __init__(
        self,
        configured: OidcProvider,
        session: aiohttp.ClientSession,
        redirect_uri: str,
        clock: Clock = utc_now,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        secret = configured.client_secret
        self.label = configured.label
        self._issuer = configured.issuer
        self._session = session
        self._clock = clock
        self._client = OAuth2Client(
            session=None,
            client_id=configured.client_id,
            client_secret=secret.get_secret_value() if secret is not None else None,
            scope=SCOPES,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        self._metadata = Published(lambda: fetched_metadata(session, configured.issuer), now)
        self._keys = Published(self._fetched_keys, now)

    async def authorization_url(self, flow: Flow) -> str:
        """Where the browser that holds this flow signs in."""
        metadata = await self._metadata.current()
        url: str
        url, _ = self._client.create_authorization_url(
            metadata.authorization_endpoint,
            state=flow.state,
            nonce=flow.nonce,
            code_verifier=flow.verifier,
        )
        return url

    async def check_sender(self, issuer: str | None) -> None:
        """Refuse an answer that another provider gave, or that hides who gave it (RFC 9207)."""
        metadata = await self._metadata.current()
        named = issuer is not None or metadata.authorization_response_iss_parameter_supported
        if named and issuer != self._issuer:
            raise OidcRefused("this answer is not of the provider that was asked")

    async def vouched(self, code: SecretStr, flow: Flow) -> Vouched:
        """Whom the provider vouches for by this code; not safe to repeat: a code is spent once."""
        metadata = await self._metadata.current()
        answer = await self._exchanged(metadata, code, flow)
        try:
            claims = await self._verified(metadata, answer, flow)
            person = _Claims.model_validate(claims)
        except (JoseError, ValidationError, ValueError, TypeError) as error:
            # The reason without the token: an error's text may quote what it could not read.
            log.warning("oidc_token_refused", issuer=self._issuer, reason=type(error).__name__)
            raise OidcRefused("the provider's word does not hold") from error
        if person.email is None:
            person = await self._with_userinfo(metadata, answer, person)
        return Vouched(
            issuer=self._issuer,
            subject=person.sub,
            email=person.email,
            email_verified=person.email_verified in (True, "true"),
            name=person.name,
        )

    async def _exchanged(self, metadata: Metadata, code: SecretStr, flow: Flow) -> _TokenAnswer:
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=self._client.redirect_uri,
            code=code.get_secret_value(),
            code_verifier=flow.verifier,
        )
        url, headers, body = self._client.client_auth(self._authentication(metadata)).prepare(
            "POST", metadata.token_endpoint, dict(DEFAULT_HEADERS), body
        )
        answer = await asked(self._session, "POST", url, body=body, headers=headers)
        if answer.status == 200:
            return _read(_TokenAnswer, answer.body)
        refusal = _read(_TokenRefusal, answer.body)
        if refusal.error == "invalid_grant":
            raise OidcRefused("the provider does not know this sign-in, or it was completed before")
        log.error("oidc_client_refused", issuer=self._issuer, status=answer.status, error=refusal.error[:100])
        raise OidcUnavailable("the provider does not serve us now", retry_after=5)

    def _authentication(self, metadata: Metadata) -> str:
        """How we prove to be its client, in a way that it takes."""
        if self._client.client_secret is None:
            return "none"
        taken = metadata.token_endpoint_auth_methods_supported
        return "client_secret_basic" if "client_secret_basic" in taken else "client_secret_post"

    async def _verified(self, metadata: Metadata, answer: _TokenAnswer, flow: Flow) -> dict[str, Any]:
        allowed = sorted(ALGORITHMS.intersection(metadata.id_token_signing_alg_values_supported))
        token = await self._decoded(answer.id_token, allowed)
        access_token = answer.access_token
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._client.client_id},
                "nonce": {"essential": True, "value": flow.nonce},
            },
            params={
                "nonce": flow.nonce,
                "client_id": self._client.client_id,
                "access_token": access_token.get_secret_value() if access_token is not None else None,
            },
        )
        claims.validate(now=int(self._clock().timestamp()), leeway=int(SKEW.total_seconds()))
        return dict(claims)

    async def _decoded(self, id_token: SecretStr, allowed: list[str]) -> jwt.Token:
        keys = await self._keys.current()
        try:
            return jwt.decode(id_token.get_secret_value(), keys, algorithms=allowed)
        except InvalidKeyIdError:
            keys = await self._keys.newer(keys)
            return jwt.decode(id_token.get_secret_value(), keys, algorithms=allowed)

    async def _fetched_keys(self) -> KeySet:
        return await fetched_keys(self._session, (await self._metadata.current()).jwks_uri)

    async def _with_userinfo(self, metadata: Metadata, answer: _TokenAnswer, person: _Claims) -> _Claims:
        """The claims that some providers tell only to who asks with the access token."""
        if metadata.userinfo_endpoint is None or answer.access_token is None:
            return person
        bearer = {"authorization": f"Bearer {answer.access_token.get_secret_value()}"}
        told = await asked(self._session, "GET", metadata.userinfo_endpoint, headers=bearer)
        if told.status != 200:
            raise OidcUnavailable("the provider does not say who this is", retry_after=5)
        info = _read(_Claims, told.body)
        if info.sub != person.sub:
            raise OidcRefused("the provider vouches for two people at once")
        return info


def _read(model: type[_Answer], body: bytes) -> _Answer:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # Without its cause, which quotes the answer: there are tokens in it.
        log.error("oidc_answer_unreadable", expected=model.__name__, problems=error.error_count())
        raise OidcUnavailable("the provider answered what no provider does", retry_after=5) from None
