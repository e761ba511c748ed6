"""What surrounds the routes: the API key, the request count, errors in the provider's own shape."""

import hmac
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.psp import actions
from sandbox.psp.errors import LedgerError, RefusalError, error_body, provider_error
from sandbox.psp.metrics import Metrics

IDEMPOTENCY_KEY = "Idempotency-Key"


def error_response(refusal: RefusalError) -> Response:
    body = error_body(refusal.code, refusal.message)
    return Response(body, refusal.status, refusal.headers, "application/json")


class RequireApiKey:
    """Refuses a call to /v1 whose bearer key is not ours, unless it is the buyer's; with no key set, none."""

    def __init__(self, app: ASGIApp, api_key: str | None) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode() if api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_ours(scope["path"]) and not self._allowed(scope):
            headers = {"WWW-Authenticate": "Bearer"}
            refusal = RefusalError(401, "unauthenticated", "Send Authorization: Bearer <api key>.", headers)
            await error_response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        if self._expected is None:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(given, self._expected)


def _is_ours(path: str) -> bool:
    return path.startswith("/v1/") and not path.startswith(f"{actions.PREFIX}/")


class CountRequests:
    """Counts answers by route template, so that ids make no series of their own."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self._metrics.requests.labels(scope["method"], route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)


def add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(RefusalError)
    async def refused(_: Request, error: RefusalError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        if any(_is_missing_key(problem["loc"], problem["type"]) for problem in problems):
            missing = RefusalError(400, "idempotency_key_missing", f"Send an {IDEMPOTENCY_KEY} header.")
            return error_response(missing)
        said = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
        return error_response(RefusalError(422, "invalid_request", said))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        headers = dict(error.headers) if error.headers else None
        if error.status_code == HTTPStatus.BAD_REQUEST:  # a body that is not JSON at all
            return error_response(RefusalError(422, "invalid_request", error.detail, headers))
        code = HTTPStatus(error.status_code).name.lower()
        return error_response(RefusalError(error.status_code, code, error.detail, headers))

    @app.exception_handler(LedgerError)  # the ledger has logged it
    @app.exception_handler(Exception)  # raised on after the answer, so that the server logs it
    async def failed(_: Request, error: Exception) -> Response:
        return error_response(provider_error())


def _is_missing_key(loc: tuple[str | int, ...], kind: str) -> bool:
    return (
        loc[0] == "header" and str(loc[-1]).lower() == IDEMPOTENCY_KEY.lower() and kind != "string_too_long"
    )
