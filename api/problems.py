"""Every error leaves an API as problem+json through this one place."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.field_problems import field_problems
from contracts.errors import DomainError, FieldProblem, Kind, Refusal
from contracts.problems import PROBLEM_JSON, Problem

# More than anybody mends at once. A body may have thousands of faults, and to tell of each would take all of
# the service's time: what lies beyond these is not looked at.
MOST_FAULTS = 100
MOST_PROBLEMS = 20
LONGEST_PLACE = 200

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
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem_response(
            Refusal(code="request.malformed", kind=Kind.MALFORMED, detail="The body is not valid JSON.")
        )
    # What is not declared as JSON is handed on unread.
    if isinstance(error.body, bytes):
        return problem_response(
            Refusal(
                code="request.invalid",
                kind=Kind.INVALID,
                detail="The body is not read: send JSON, and say so with `Content-Type: application/json`.",
            )
        )
    return problem_response(
        Refusal(
            code="request.invalid",
            kind=Kind.INVALID,
            detail="The request does not have the shape that this route takes.",
            errors=_first_problems(faults, error.body),
        )
    )


def _first_problems(faults: Sequence[Any], body: object) -> tuple[FieldProblem, ...]:
    """The first few; of a place that somebody made very long, how it begins."""
    found = field_problems(faults[:MOST_FAULTS], body)[:MOST_PROBLEMS]
    return tuple(
        FieldProblem(at=f"{one.at[:LONGEST_PLACE]}...", message=one.message)
        if len(one.at) > LONGEST_PLACE
        else one
        for one in found
    )


async def _http(_: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown routes, wrong methods, unreadable bodies."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code, kind = _HTTP_CODES.get(status, (f"request.refused_{error.status_code}", Kind.MALFORMED))
    problem = Problem.of(Refusal(code=code, kind=kind, detail=str(error.detail)), status)
    return Response(problem.to_json(), problem.status, error.headers, media_type=PROBLEM_JSON)


def bug_response() -> Response:
    """What a caller is told of a fault of ours; what it was stands in the log."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    problem = Problem(
        type="urn:micromart:problem:internal",
        title=status.phrase,
        status=status,
        detail="This is a fault of ours; it has been logged under the request's id.",
        code="internal",
    )
    return Response(problem.to_json(), status, media_type=PROBLEM_JSON)
