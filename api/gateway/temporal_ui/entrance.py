"""The way in and the way out: the form, the cookie, and what is said to whoever may not enter."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive

from api.gateway.client import Client
from api.gateway.cookies import StaffCookie, StaffSession
from api.gateway.errors import BodyTooSlow, MalformedRequest
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead
from api.gateway.temporal_ui.pages import sign_in_page, signed_in_page
from api.gateway.temporal_ui.rules import SIGN_IN, next_page
from api.gateway.temporal_ui.sign_in import Credentials, SignIn
from contracts.errors import DomainError
from contracts.identity import Identity
from contracts.problems import STATUS_OF

_FORM = "application/x-www-form-urlencoded"
_LONGEST_FORM = 8_192
_FORM_SECONDS = 5.0
_MOST_FIELDS = 8


@dataclass(frozen=True)
class _Form:
    credentials: Credentials
    next_page: str


class Entrance:
    """Signs members of the staff in and out."""

    def __init__(self, cookie: StaffCookie, sign_in: SignIn, end: Callable[[str], None]) -> None:
        self._cookie = cookie
        self._sign_in = sign_in
        self._end = end

    def page(self, query: bytes, session: StaffSession | None) -> Response:
        """The form, or the way out for somebody who is signed in already."""
        if session is not None:
            return signed_in_page(session.identity)
        return sign_in_page(next_page(_fields(query).get("next", "")))

    async def enter(
        self, exchange: Exchange, received: Headers, head: RequestHead, receive: Receive
    ) -> Response:
        """Check what the form holds; the cookie and the way on, or the form again with the reason."""
        form = await _form(received, head, receive)
        try:
            identity = await self._sign_in.open(form.credentials, head)
        except DomainError as error:
            exchange.code = error.refusal.code
            return sign_in_page(
                form.next_page,
                email=form.credentials.email,
                refusal=error.detail,
                status=STATUS_OF[error.refusal.kind],
                retry_after=error.retry_after,
            )
        exchange.subject = identity.subject
        if not identity.is_staff or identity.session is None:
            await self._sign_in.close(identity, head)
            return sign_in_page(
                form.next_page,
                refusal="This account is not one of the staff's.",
                status=HTTPStatus.FORBIDDEN,
            )
        return _redirect(form.next_page, self._cookie.opened(identity))

    async def leave(self, identity: Identity | None, head: RequestHead) -> Response:
        """Take the cookie back and end the session, here at once and at auth. Safe to repeat."""
        if identity is not None and identity.session is not None:
            self._end(identity.session)
            await self._sign_in.close(identity, head)
        return _redirect(SIGN_IN, self._cookie.cleared())


def _redirect(target: str, cookie: str) -> Response:
    headers = {"cache-control": "no-store", "set-cookie": cookie}
    return RedirectResponse(target, HTTPStatus.SEE_OTHER, headers)


async def _form(received: Headers, head: RequestHead, receive: Receive) -> _Form:
    if received.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise MalformedRequest(f"The form comes as {_FORM}.")
    client = Client(receive, head, max_body_bytes=_LONGEST_FORM)
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            fields = _fields(await client.read())
    except TimeoutError:
        raise BodyTooSlow("The form did not arrive in time.") from None
    return _Form(
        Credentials(email=fields.get("email", ""), password=SecretStr(fields.get("password", ""))),
        next_page(fields.get("next", "")),
    )


def _fields(encoded: bytes) -> dict[str, str]:
    """The fields of a form or a query, each at most once."""
    try:
        fields = parse_qs(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise MalformedRequest("The form cannot be read.") from error
    if any(len(values) > 1 for values in fields.values()):
        raise MalformedRequest("The form says a thing twice.")
    return {name: values[0] for name, values in fields.items()}
