"""Every error leaves an API as problem+json through this one place."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from contracts.errors import DomainError, FieldProblem, Kind, Refusal
from contracts.problems import PROBLEM_JSON, Problem

_HTTP_CODES = {
    HTTPStatus.NOT_FOUND: ("request.no_such_route", Kind.NOT_FOUND),
    HTTPStatus.BAD_REQUEST: ("request.malformed", Kind.MALFORMED),
}


def problem_response(refusal: Refusal, *, retry_after: int | None = None) -> Response:
    problem = Problem.of(refusal)
    headers: dict[str, str] = {}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    elif refusal.kind is Kind.BUSY:
        headers["retry-after"] = "1"
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return Response(problem.to_json(), problem.status, headers, media_type=PROBLEM_JSON)


def install_problem_handlers(app: FastAPI) -> None:
    """Map refusals, invalid requests and unknown routes to problem+json."""
    app.add_exception_handler(DomainError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    return problem_response(error.refusal, retry_after=error.retry_after)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        FieldProblem(at="/" + "/".join(str(part) for part in item["loc"]), message=item["msg"])
        for item in error.errors()
    ]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem_response(
            Refusal(code="request.malformed", kind=Kind.MALFORMED, detail="The body is not valid JSON.")
        )
    return problem_response(
        Refusal(
            code="request.invalid",
            kind=Kind.INVALID,
            detail="The request does not have the shape that this route takes.",
            errors=tuple(problems),
        )
    )


async def _http(_: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown routes, wrong methods, unreadable bodies."""
    assert isinstance(error, HTTPException)
    code, kind = _HTTP_CODES.get(
        HTTPStatus(error.status_code), (f"request.refused_{error.status_code}", Kind.MALFORMED)
    )
    problem = Problem.of(Refusal(code=code, kind=kind, detail=str(error.detail))).model_copy(
        update={"status": error.status_code, "title": HTTPStatus(error.status_code).phrase}
    )
    return Response(problem.to_json(), error.status_code, error.headers, media_type=PROBLEM_JSON)


def bug_response() -> Response:
    """What a caller is told of a fault of ours; what it was stands in the log."""
    problem = Problem(
        type="urn:micromart:problem:internal",
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail="This is a fault of ours; it has been logged under the request's trace id.",
        code="internal",
    )
    return Response(problem.to_json(), 500, media_type=PROBLEM_JSON)
