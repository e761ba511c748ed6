"""Serving HTTP: uvicorn as every process of ours runs it."""

import asyncio
import time
from collections.abc import Awaitable
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import Kind, Refusal
from contracts.identity import DRAINING_HEADER
from contracts.problems import PROBLEM_JSON, Problem
from runtime.settings import Settings

# How long a request that runs may take to end when its process is told to stop.
REQUEST_SECONDS = 5
_CLOSE = (b"connection", b"close")
_DRAINING = (DRAINING_HEADER.encode(), b"1")


class Draining:
    """An application that, once told to, says on each answer that this process is about to stop."""

    def __init__(self, app: ASGIApp, *, tells_peers: bool) -> None:
        """`tells_peers`: whether the gateway is who asks, and is to go to another instance."""
        self._app = app
        self._said = (_CLOSE, _DRAINING) if tells_peers else (_CLOSE,)
        self.began = False

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Costs a request nothing until then."""
        if self.began and scope["type"] == "http":
            return self._answer(scope, receive, send)
        return self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._said]
            await send(message)

        if scope["path"] == "/readyz":
            await _refuse(saying)
        else:
            await self._app(scope, receive, saying)


class DrainingServer(uvicorn.Server):
    """Takes requests for a while after the first signal, then none; a second signal ends it at once."""

    def __init__(self, config: uvicorn.Config, draining: Draining, drain_seconds: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._drain_seconds = drain_seconds
        self._drained_at: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._captured_signals.append(sig)
        if not self._draining.began and self._drain_seconds and self.started:
            self._draining.began = True
            self._drained_at = time.monotonic() + self._drain_seconds
            return
        if len(self._captured_signals) > 1:
            self.force_exit = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cut)
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def server_for(
    app: Any,
    settings: Settings,
    *,
    default_port: int,
    max_request_seconds: int = REQUEST_SECONDS,
    protocol: type[asyncio.Protocol] | None = None,
    tells_peers: bool = True,
) -> uvicorn.Server:
    """A server that drains on SIGTERM for a bounded time and writes no access log of its own."""
    draining = Draining(app, tells_peers=tells_peers)
    config = uvicorn.Config(
        draining,
        interface="asgi3",
        host=settings.host,
        port=settings.port or default_port,
        loop="uvloop",
        http=protocol or "httptools",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=False,
        # Who calls is the peer itself: a header's word about somebody behind it is not taken.
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=max_request_seconds,
        backlog=2048,
    )
    return DrainingServer(config, draining, settings.drain_seconds)


def serve(
    app: Any, settings: Settings, *, default_port: int, max_request_seconds: int = REQUEST_SECONDS
) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    server_for(app, settings, default_port=default_port, max_request_seconds=max_request_seconds).run()


async def _refuse(send: Send) -> None:
    """Not ready any more: whoever spreads requests over instances is to leave this one out."""
    problem = Problem.of(
        Refusal(code="draining", kind=Kind.BUSY, detail="This process is about to stop: ask another one.")
    )
    body = problem.to_json()
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
