"""The provider's HTTP API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request
from starlette.responses import Response

from sandbox.psp import tokens
from sandbox.psp.actions import action_routes
from sandbox.psp.edge import IDEMPOTENCY_KEY, CountRequests, RequireApiKey, add_error_handlers
from sandbox.psp.errors import RefusalError
from sandbox.psp.metrics import Metrics
from sandbox.psp.models import Authorization, Authorizations, Authorize, Part, Void
from sandbox.psp.provider import Provider, Result
from sandbox.psp.webhooks import Webhooks

HANG_AT_MOST_SECONDS = 60

Key = Annotated[str, Header(alias=IDEMPOTENCY_KEY, min_length=1, max_length=255)]


def create_app(
    provider: Provider, metrics: Metrics, api_key: str | None, webhooks: Webhooks | None = None
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(provider.close)
            if webhooks is not None:
                await stack.enter_async_context(webhooks.telling())
            yield

    app = FastAPI(title="Sandbox payment provider", lifespan=lifespan)
    add_error_handlers(app)
    app.add_middleware(RequireApiKey, api_key=api_key)
    app.add_middleware(CountRequests, metrics=metrics)
    app.include_router(_authorizations(provider))
    app.include_router(action_routes(provider))
    app.include_router(_operations(provider, metrics))
    return app


def _authorizations(provider: Provider) -> APIRouter:
    router = APIRouter(prefix="/v1/authorizations")

    @router.post("", status_code=201, response_model=Authorization)
    async def authorize(wanted: Authorize, key: Key, request: Request) -> Response:
        result = await provider.authorize(key, wanted, str(request.base_url).rstrip("/"))
        if wanted.token == tokens.TIMEOUT and not result.replayed:
            await _lose_answer(request, provider.stopping)
            raise RefusalError(504, "answer_lost", "The answer was lost; ask again with the same key.")
        return _answer(result)

    @router.post("/{authorization_id}/capture", response_model=Authorization)
    async def capture(authorization_id: str, key: Key, part: Part | None = None) -> Response:
        return _answer(await provider.change(key, authorization_id, "capture", part or Part()))

    @router.post("/{authorization_id}/void", response_model=Authorization)
    async def void(authorization_id: str, key: Key, asked: Void | None = None) -> Response:
        return _answer(await provider.change(key, authorization_id, "void", asked or Void()))

    @router.post("/{authorization_id}/refund", response_model=Authorization)
    async def refund(authorization_id: str, key: Key, part: Part | None = None) -> Response:
        return _answer(await provider.change(key, authorization_id, "refund", part or Part()))

    @router.get("/{authorization_id}", response_model_exclude_none=True)
    async def get(authorization_id: str) -> Authorization:
        return provider.get(authorization_id)

    @router.get("", response_model_exclude_none=True)
    async def find(idempotency_key: str | None = None, reference: str | None = None) -> Authorizations:
        return Authorizations(items=provider.find(idempotency_key, reference))

    return router


def _operations(provider: Provider, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/ledger")
    async def ledger() -> Response:
        lines = (await provider.lines()).rstrip(b"\n").replace(b"\n", b",")
        return Response(b'{"items":[' + lines + b"]}", media_type="application/json")

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        if not provider.healthy:
            raise RefusalError(503, "ledger_unavailable", "The ledger cannot be written.")
        return {"status": "ready"}

    @router.get("/metrics")
    async def exposition() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _answer(result: Result) -> Response:
    headers = {"Idempotent-Replayed": "true"} if result.replayed else None
    return Response(result.body, result.status, headers, "application/json")


async def _lose_answer(request: Request, stopping: asyncio.Event) -> None:
    """Return when there is nobody left to answer, or the wait has been long enough, or we are stopping."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    ends = [asyncio.ensure_future(gone()), asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait(ends, timeout=HANG_AT_MOST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
