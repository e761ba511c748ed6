"""Passing a request on and its answer back, in pieces, at the pace of the slower side."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from starlette.types import Message, Send
from yarl import URL

from api.gateway.breakers import SETTLED, Once, State, Trial
from api.gateway.browsers import added_to
from api.gateway.client import Client
from api.gateway.errors import BodyTooLarge, BodyTooSlow, ClientLeft, UpstreamTimeout, UpstreamUnavailable
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead, passed_back
from api.gateway.quotas import without_limits
from api.gateway.routes import IDEMPOTENT_METHODS, Route
from api.gateway.upstreams import Instance, Upstream
from api.gateway.verdicts import Verdict, what_counts
from contracts.identity import DRAINING_HEADER, IDEMPOTENCY_HEADER

# Up to this size a body is taken whole: one read and one write beat a stream, and it can be sent again.
SMALL_BODY_BYTES = 65_536
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.025
EVENT_STREAM = "text/event-stream"

Body = bytes | AsyncIterator[bytes] | None


@dataclass(frozen=True)
class Timeouts:
    """Seconds until a service counts as not answering.

    To connect; until the first byte of its answer; for a whole exchange; both for a checkout; and how long a
    stream of events, which has no end, may be silent.
    """

    connect: float = 2.0
    first_byte: float = 10.0
    total: float = 15.0
    checkout: float = 20.0
    silence: float = 60.0


class Proxy:
    """Sends each request to the service of its route: once, or again where that is safe and affordable."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        upstreams: Mapping[str, Upstream],
        timeouts: Timeouts,
    ) -> None:
        self._session = session
        self._upstreams = upstreams
        self._timeouts = timeouts
        # The limits of an exchange are kept here, over all of its attempts.
        self._connecting = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect)

    def check(self, route: Route) -> None:
        """Raise UpstreamSuspended where the route's service is not asked now. Safe to repeat."""
        self._upstreams[route.service].breaker.check()

    async def forward(
        self, exchange: Exchange, route: Route, head: RequestHead, client: Client, send: Send
    ) -> None:
        """Answer with what the service answers. What is not safe to repeat is never sent twice."""
        upstream = self._upstreams[route.service]
        began = asyncio.get_running_loop().time()
        limits = self._timeouts
        total, first_byte = limits.total, min(limits.first_byte, limits.total)
        if route.waits_for_checkout:
            total = first_byte = limits.checkout
        try:
            async with client.waiting(), asyncio.timeout_at(began + first_byte) as timeout:
                # Before a place is taken: who sends slowly keeps nobody out.
                body = await _body(head, client) if head.has_body else None
                with upstream.bulkhead:
                    response, trial = await self._response(exchange, route, head, client, upstream, body)
                    try:
                        pieces: AsyncIterator[bytes] = response.content.iter_any()
                        if not response.content.is_eof():
                            endless = _is_endless(response)
                            timeout.reschedule(None if endless else began + total)
                            if endless:
                                pieces = _unless_silent(pieces, timeout, limits.silence)
                        await _relay(response, pieces, trial, exchange, client, send)
                    except BaseException as error:
                        trial.ended(_verdict(error, client))
                        raise
                    finally:
                        response.release()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if exchange.answering:
                # Too late for another status: the server closes the connection on the unfinished answer.
                exchange.cut = type(error).__name__
                return
            raise self._cause(error, route, client) from error

    async def _response(
        self,
        exchange: Exchange,
        route: Route,
        head: RequestHead,
        client: Client,
        upstream: Upstream,
        body: Body,
    ) -> tuple[aiohttp.ClientResponse, Trial]:
        """The answer of the first attempt that gets one, and what its end is to be told to."""
        upstream.budget.request()
        tried: list[Instance] = []
        while True:
            instance = upstream.pick(tried)
            try:
                return await self._attempt(exchange, route, head, client, upstream, instance, body)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                # Nothing of the request has left: it can be sent again, whatever it asks for.
                unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
                if unsent:
                    upstream.is_absent(instance)
                tried.append(instance)
                if (
                    client.left
                    or not (_may_be_repeated(route, head) or unsent)
                    or not (body is None or isinstance(body, bytes))
                    or len(tried) == ATTEMPTS
                    # It has just opened: the failure is what there is to tell, and nobody waits to hear less.
                    or upstream.breaker.state is State.OPEN
                    or not upstream.budget.try_retry()
                ):
                    raise
            await asyncio.sleep(_pause(len(tried)))

    async def _attempt(
        self,
        exchange: Exchange,
        route: Route,
        head: RequestHead,
        client: Client,
        upstream: Upstream,
        instance: Instance,
        body: Body,
    ) -> tuple[aiohttp.ClientResponse, Trial]:
        trial = upstream.breaker.admit()
        exchange.attempts += 1
        began = time.perf_counter()
        try:
            response = await self._session.request(
                route.method,
                URL(instance.url + head.target, encoded=True),
                data=body,
                headers=head.headers,
                timeout=self._connecting,
                allow_redirects=False,
            )
        except BaseException as error:
            trial.ended(_verdict(error, client))
            raise
        exchange.upstream_seconds = time.perf_counter() - began
        if DRAINING_HEADER in response.headers:
            upstream.leaves(instance)
        verdict = what_counts(response.status, response.headers)
        if verdict is Verdict.SUCCESS and not response.content.is_eof() and not _is_endless(response):
            # A good head is half of an answer: the service may break off yet.
            return response, Once(trial)
        trial.ended(verdict)
        return response, SETTLED

    def _cause(self, error: Exception, route: Route, client: Client) -> Exception:
        """What went wrong, seen from outside; the body's own trouble reaches us as a failed request."""
        if client.exceeded:
            return BodyTooLarge(client.max_body_bytes)
        if client.left:
            return ClientLeft()
        if not isinstance(error, TimeoutError):
            return UpstreamUnavailable(f"The {route.service} service cannot be reached, try again.")
        if client.is_awaited:
            return BodyTooSlow("The request's body did not arrive in time.")
        return UpstreamTimeout(f"The {route.service} service did not answer in time.")


def _is_endless(response: aiohttp.ClientResponse) -> bool:
    """Whether it is a stream of events, which may be open for hours, and must not be a probe for as long."""
    return response.content_type == EVENT_STREAM


def _verdict(error: BaseException, client: Client) -> Verdict:
    """A client that left, sends too much, or has to be waited for says nothing about the service."""
    if client.left or client.exceeded or client.is_awaited or client.is_taking:
        return Verdict.NEUTRAL
    # Cancelled, with the client still there: the service's time is over.
    return Verdict.FAILURE if isinstance(error, asyncio.CancelledError) else what_counts(error)


def _may_be_repeated(route: Route, head: RequestHead) -> bool:
    return route.method in IDEMPOTENT_METHODS or (
        route.honours_idempotency_key and IDEMPOTENCY_HEADER in head.headers
    )


def _pause(failures: int) -> float:
    """Ever longer, and never the same for two who failed together."""
    return FIRST_PAUSE_SECONDS * float(2 ** (failures - 1)) * random.uniform(0.5, 1.5)  # noqa: S311


async def _body(head: RequestHead, client: Client) -> bytes | AsyncIterator[bytes]:
    if head.content_length is None:
        return client.stream()
    if head.content_length > SMALL_BODY_BYTES:
        head.headers["content-length"] = str(head.content_length)
        return client.stream()
    return await client.read()


async def _unless_silent(
    pieces: AsyncIterator[bytes], timeout: asyncio.Timeout, seconds: float
) -> AsyncIterator[bytes]:
    """The pieces as they come; the time runs only while one is waited for, not while it is taken."""
    loop = asyncio.get_running_loop()
    while True:
        timeout.reschedule(loop.time() + seconds)
        piece = await anext(pieces, b"")
        timeout.reschedule(None)
        if not piece:
            return
        yield piece


async def _relay(
    response: aiohttp.ClientResponse,
    pieces: AsyncIterator[bytes],
    trial: Trial,
    exchange: Exchange,
    client: Client,
    send: Send,
) -> None:
    """Pass the answer back; its trial has succeeded once the service has said all, whoever takes it yet."""
    ours = exchange.headers
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        ours = without_limits(ours)
    headers = added_to(passed_back(response.raw_headers, exchange.request_id), ours)
    start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
    length = response.content_length
    if exchange.method == "HEAD":
        trial.succeeded()
        await exchange.answer(send, start)
        await send({"type": "http.response.body"})
    elif length is not None and length <= SMALL_BODY_BYTES:
        body = await response.read()
        trial.succeeded()
        await exchange.answer(send, start)
        await send({"type": "http.response.body", "body": body})
    else:
        send = client.taking(send)
        await exchange.answer(send, start)
        # Servers keep an answer's head until something follows it, and that may take long.
        await send({"type": "http.response.body", "more_body": True})
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        trial.succeeded()
        await send({"type": "http.response.body"})
