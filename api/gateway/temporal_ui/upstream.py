"""Passing requests on to the UI's own server, in pieces, at the pace of the slower side."""

import aiohttp
from pydantic import ValidationError
from starlette.types import Send
from yarl import URL

from api.gateway.browsers import added_to
from api.gateway.client import Client
from api.gateway.errors import BodyTooLarge, ClientLeft
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead
from api.gateway.temporal_ui.answers import adapted_settings, headers_for, page_policy
from api.gateway.temporal_ui.errors import UiUnavailable
from api.gateway.temporal_ui.rules import FRAMED, MISPLACED, ROOT, SETTINGS, is_page
from contracts.identity import REQUEST_ID_HEADER
from runtime.answers import read_within
from runtime.settings import PREFIX, MissingSetting
from runtime.trace import TRACEPARENT_HEADER

# A workflow's history is awaited for 20 s at a time.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=60.0)
# Named one by one: nobody's cookies, tokens or `Grpc-Metadata-*` reach Temporal.
_PASSED_ON = (
    "accept",
    "accept-encoding",
    "caller-type",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "range",
    REQUEST_ID_HEADER,
    TRACEPARENT_HEADER,
)
# The UI's server compares a header with a cookie to know its own pages; the gateway has seen to that already.
_CSRF = {"cookie": "_csrf=checked-by-the-gateway", "x-csrf-token": "checked-by-the-gateway"}
# Pages and settings are read here; they have a few thousand bytes.
_LONGEST_PAGE = 262_144


class UiServer:
    """The server behind /temporal."""

    def __init__(self, session: aiohttp.ClientSession, ui_url: str) -> None:
        self._session = session
        base, found, rest = ui_url.rstrip("/").rpartition(ROOT)
        if not found or rest:
            raise MissingSetting(f"{PREFIX}TEMPORAL_UI_URL is not usable: it must end in {ROOT}")
        self._base = base

    async def answer(
        self,
        exchange: Exchange,
        path: str,
        head: RequestHead,
        client: Client,
        send: Send,
        *,
        read_only: bool,
    ) -> None:
        """Answer with what the UI answers. Nothing is sent twice."""
        try:
            async with client.waiting():
                response = await self._request(exchange.method, path, head, client)
                try:
                    await _relay(response, exchange, path, send, read_only=read_only)
                finally:
                    response.release()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if exchange.answering:
                exchange.cut = type(error).__name__
            elif client.exceeded:
                raise BodyTooLarge(client.max_body_bytes) from error
            elif client.left:
                raise ClientLeft from error
            else:
                raise UiUnavailable("The Temporal UI is out of reach, try again.") from error

    async def _request(
        self, method: str, path: str, head: RequestHead, client: Client
    ) -> aiohttp.ClientResponse:
        headers = {name: head.headers[name] for name in _PASSED_ON if name in head.headers} | _CSRF
        if is_page(path) or path == SETTINGS:
            headers.pop("accept-encoding", None)
        if head.content_length:
            headers["content-length"] = str(head.content_length)
        return await self._session.request(
            method,
            URL(self._base + (MISPLACED if path == FRAMED else "") + head.target, encoded=True),
            data=client.stream() if head.has_body else None,
            headers=headers,
            timeout=_TIMEOUT,
            allow_redirects=False,
        )


async def _relay(
    response: aiohttp.ClientResponse,
    exchange: Exchange,
    path: str,
    send: Send,
    *,
    read_only: bool,
) -> None:
    headers = headers_for(path, response.raw_headers, exchange.request_id)
    body: bytes | None = None
    if response.content_type == "text/html":
        body = await read_within(response, _LONGEST_PAGE)
        headers += page_policy(path, body, response.headers.get("content-security-policy"))
    elif path == SETTINGS and response.status == 200 and exchange.method == "GET":
        body = _settings(await read_within(response, _LONGEST_PAGE), read_only=read_only)
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
    headers = added_to(headers, exchange.headers)
    await exchange.answer(
        send, {"type": "http.response.start", "status": response.status, "headers": headers}
    )
    if body is not None or exchange.method == "HEAD":
        await send({"type": "http.response.body", "body": b"" if exchange.method == "HEAD" else body})
        return
    async for chunk in response.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


def _settings(body: bytes, *, read_only: bool) -> bytes:
    try:
        return adapted_settings(body, read_only=read_only)
    except ValidationError as error:
        raise UiUnavailable("The Temporal UI answered with settings that are none.") from error
