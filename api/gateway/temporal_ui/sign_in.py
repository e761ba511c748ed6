"""Signing the staff in: auth checks the password, the gateway's own verifier reads what it answers."""

from http import HTTPStatus
from typing import Protocol

import aiohttp
from pydantic import BaseModel, SecretStr, ValidationError, field_serializer

from api.gateway.head import RequestHead
from api.gateway.principal import Principal
from contracts.errors import DomainError, Refusal, Refused, Unavailable
from contracts.identity import IDENTITY_HEADER, REQUEST_ID_HEADER, Identity
from contracts.problems import Problem, kind_of
from runtime.answers import read_within
from runtime.identity import IdentitySigner
from runtime.logs import get_logger
from runtime.trace import TRACEPARENT_HEADER

log = get_logger(__name__)

# A password takes its time to check, and others may be in front.
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=2.0)
# What auth notes of a session, and counts failed attempts by.
_PASSED_ON = ("x-forwarded-for", "user-agent", REQUEST_ID_HEADER, TRACEPARENT_HEADER)


class Tokens(Protocol):
    async def verified(self, token: bytes) -> Principal:
        """Whose access token this is; a refusal when it does not hold."""


class Credentials(BaseModel):
    """What the form asks for."""

    email: str
    password: SecretStr

    @field_serializer("password", when_used="json")
    def _reveal(self, password: SecretStr) -> str:
        return password.get_secret_value()


class _Tokens(BaseModel):
    """What is used of auth's answer; nobody keeps the refresh token, so the cookie is all."""

    access_token: SecretStr


class SignIn:
    """Opens and ends sessions at auth."""

    def __init__(
        self, session: aiohttp.ClientSession, auth_url: str, tokens: Tokens, signer: IdentitySigner
    ) -> None:
        self._session = session
        self._auth_url = auth_url
        self._tokens = tokens
        self._signer = signer

    async def open(self, credentials: Credentials, head: RequestHead) -> Identity:
        """Who has these credentials, with a new session; auth's own refusal, or Unavailable."""
        body = credentials.model_dump_json().encode()
        status, answer, retry_after = await self._post("/v1/auth/login", head, body=body)
        if status != HTTPStatus.OK:
            raise _refusal(status, answer, retry_after)
        try:
            token = _Tokens.model_validate_json(answer).access_token
        except ValidationError as error:
            raise Unavailable("The answer of auth cannot be understood.") from error
        return (await self._tokens.verified(token.get_secret_value().encode())).identity

    async def close(self, identity: Identity, head: RequestHead) -> None:
        """End the session. Safe to repeat; where auth is out of reach, nobody holds its tokens anyway."""
        word = self._signer.sign(identity)
        try:
            status, _, _ = await self._post("/v1/auth/logout", head, more={IDENTITY_HEADER: word})
        except Unavailable as error:
            log.warning("session not ended at auth", session=identity.session, reason=error.detail)
            return
        if status >= HTTPStatus.BAD_REQUEST:
            log.warning("session not ended at auth", session=identity.session, status=status)

    async def _post(
        self, path: str, head: RequestHead, *, body: bytes | None = None, more: dict[str, str] | None = None
    ) -> tuple[int, bytes, int | None]:
        headers = {name: head.headers[name] for name in _PASSED_ON if name in head.headers} | (more or {})
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            async with self._session.post(
                self._auth_url + path, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                retry_after = response.headers.get("retry-after", "")
                return (
                    response.status,
                    await read_within(response),
                    int(retry_after) if retry_after.isdecimal() else None,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable("Nobody can sign in now: auth is out of reach.") from error


def _refusal(status: int, answer: bytes, retry_after: int | None) -> DomainError:
    try:
        problem = Problem.model_validate_json(answer)
    except ValidationError:
        return Unavailable("Nobody can sign in now: auth does not answer as it should.")
    refused = Refused(Refusal(code=problem.code, kind=kind_of(status), detail=problem.detail))
    refused.retry_after = retry_after
    return refused
