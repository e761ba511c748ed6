"""The FastAPI application that every service's API is made of."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import bug_response, install_problem_handlers, problem_response
from contracts.errors import DomainError, Unavailable
from contracts.identity import REQUEST_ID_HEADER
from runtime.identity import IdentitySigner
from runtime.logs import get_logger
from runtime.metrics import REQUEST_SECONDS, REQUESTS, exposition
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from runtime.trace import TRACEPARENT_HEADER, bind_trace

log = get_logger(__name__)

Readiness = Callable[[], Awaitable[None]]
READINESS_SECONDS = 2.0
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})


class ServiceState:
    """What the lifespan opens and the routes use: the service by its own type, and its readiness."""

    def __init__(self, service: Any, ready: Readiness) -> None:
        self.service = service
        self.ready = ready


Opener = Callable[[], AbstractAsyncContextManager[ServiceState]]


def create_app(name: str, settings: Settings, routers: Sequence[APIRouter], open_state: Opener) -> FastAPI:
    """An application that opens its service on start, closes it at the end, and speaks problem+json."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_state() as state:
            app.state.opened = state
            yield

    app = FastAPI(
        title=f"MicroMart {name}",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{name}_{route.name}",
    )
    app.state.signer = IdentitySigner(settings.secret("identity_secret"))
    app.state.proof = ServiceProof(settings.secret("service_secret"), name)
    install_problem_handlers(app)
    app.include_router(_operations())
    for router in routers:
        app.include_router(router)
    app.add_middleware(RequestReporting, service=name)
    return app


def _operations() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @router.get("/metrics")
    async def metrics() -> Response:
        body, content_type = exposition()
        return Response(body, headers={"content-type": content_type})

    @router.get("/readyz")
    async def readyz(request: Request) -> Response:
        try:
            async with asyncio.timeout(READINESS_SECONDS):
                await request.app.state.opened.ready()
        except DomainError as error:
            return problem_response(error.refusal)
        except TimeoutError:
            return problem_response(Unavailable("what this service needs did not answer in time").refusal)
        return JSONResponse({"status": "ready"})

    return router


class RequestReporting:
    """Binds the trace to the log lines of a request, then logs and counts it, one line each."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        traceparent = headers.get(TRACEPARENT_HEADER.encode(), b"").decode("latin-1")
        request_id = headers.get(REQUEST_ID_HEADER.encode(), b"").decode("latin-1")
        bind_trace(traceparent, request_id=request_id or None)
        started = time.perf_counter()
        status, answering = 500, False

        async def reporting_send(message: Message) -> None:
            nonlocal status, answering
            if message["type"] == "http.response.start":
                status, answering = message["status"], True
            await send(message)

        try:
            await self._app(scope, receive, reporting_send)
        except Exception as error:
            # The route, never the path: the id of a guest's cart stands in it, and is that cart's only key.
            route = getattr(scope.get("route"), "path", "unmatched")
            log.error("bug", method=scope["method"], route=route, exc_info=error)
            if answering:
                raise
            await bug_response()(scope, receive, reporting_send)
        finally:
            self._report(scope, status, time.perf_counter() - started)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        matched = scope.get("route")
        route = getattr(matched, "path", "unmatched")
        REQUESTS.labels(self._service, scope["method"], route, str(status)).inc()
        REQUEST_SECONDS.labels(self._service, route).observe(seconds)
        if route not in QUIET_ROUTES:
            log.info(
                "request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1)
            )
