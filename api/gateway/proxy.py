"""Passing a request on and its answer back, in pieces, at the pace of the slower side."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from starlette.types import Message, Send
from yarl import URL

from api.gateway.client import Client
from api.gateway.errors import BodyTooLarge, BodyTooSlow, ClientLeft, UpstreamTimeout, UpstreamUnavailable
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead, passed_back
from api.gateway.routes import Route

# Up to this size a body is taken whole: one read and one write are faster than a stream.
SMALL_BODY_BYTES = 65_536


@dataclass(frozen=True)
class Timeouts:
    """Seconds until a service counts as not answering: to connect, for a whole exchange, for a checkout."""

    connect: float = 2.0
    total: float = 15.0
    checkout: float = 20.0


class Proxy:
    """Sends each request once to the service of its route."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        upstreams: Mapping[str, str],
        timeouts: Timeouts,
        max_body_bytes: int,
    ) -> None:
        self._session = session
        self._upstreams = upstreams
        self._max_body_bytes = max_body_bytes
        self._standard = aiohttp.ClientTimeout(total=timeouts.total, sock_connect=timeouts.connect)
        self._checkout = aiohttp.ClientTimeout(total=timeouts.checkout, sock_connect=timeouts.connect)

    async def forward(
        self, exchange: Exchange, route: Route, head: RequestHead, client: Client, send: Send
    ) -> None:
        """Answer with what the service answers. A request that is not idempotent is never sent twice."""
        if head.content_length is not None and head.content_length > self._max_body_bytes:
            raise BodyTooLarge(self._max_body_bytes)
        try:
            async with client.waiting():
                response = await self._request(route, head, client)
                try:
                    await _relay(response, exchange, send)
                finally:
                    response.release()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if exchange.answering:
                # Too late for another status: the server closes the connection on the unfinished answer.
                exchange.cut = type(error).__name__
                return
            raise self._cause(error, route, client) from error

    async def _request(self, route: Route, head: RequestHead, client: Client) -> aiohttp.ClientResponse:
        timeout = self._checkout if route.waits_for_checkout else self._standard
        return await self._session.request(
            route.method,
            URL(self._upstreams[route.service] + head.target, encoded=True),
            data=await _body(head, client, timeout.total) if head.has_body else None,
            headers=head.headers,
            timeout=timeout,
            allow_redirects=False,
        )

    def _cause(self, error: Exception, route: Route, client: Client) -> Exception:
        """What went wrong, seen from outside; the body's own trouble reaches us as a failed request."""
        if client.exceeded:
            return BodyTooLarge(self._max_body_bytes)
        if client.left:
            return ClientLeft()
        if not isinstance(error, TimeoutError):
            return UpstreamUnavailable(f"The {route.service} service cannot be reached, try again.")
        if client.is_awaited:
            return BodyTooSlow("The request's body did not arrive in time.")
        return UpstreamTimeout(f"The {route.service} service did not answer in time.")


async def _body(head: RequestHead, client: Client, seconds: float | None) -> bytes | AsyncIterator[bytes]:
    if head.content_length is None:
        return client.stream()
    if head.content_length > SMALL_BODY_BYTES:
        head.headers["content-length"] = str(head.content_length)
        return client.stream()
    async with asyncio.timeout(seconds):
        return await client.read()


async def _relay(response: aiohttp.ClientResponse, exchange: Exchange, send: Send) -> None:
    start: Message = {
        "type": "http.response.start",
        "status": response.status,
        "headers": passed_back(response.raw_headers, exchange.request_id),
    }
    length = response.content_length
    if exchange.method == "HEAD":
        await exchange.answer(send, start)
        await send({"type": "http.response.body"})
    elif length is not None and length <= SMALL_BODY_BYTES:
        body = await response.read()
        await exchange.answer(send, start)
        await send({"type": "http.response.body", "body": body})
    else:
        await exchange.answer(send, start)
        async for chunk in response.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
