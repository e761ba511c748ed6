"""What the gateway itself refuses, and how that looks over HTTP."""

from http import HTTPStatus
from typing import ClassVar

from starlette.responses import Response

from api.problems import problem_response
from contracts.errors import DomainError, Kind, Unauthenticated, Unavailable
from contracts.problems import PROBLEM_JSON, Problem


class GatewayRefusal(DomainError):
    """A refusal of the gateway's own; `status` where HTTP has one that no kind stands for."""

    status: ClassVar[HTTPStatus | None] = None


class NoSuchRoute(GatewayRefusal):
    code = "gateway.no_such_route"
    kind = Kind.NOT_FOUND


class MethodNotAllowed(GatewayRefusal):
    """The path is known, with other methods."""

    code = "gateway.method_not_allowed"
    kind = Kind.MALFORMED
    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"This path takes {allow}, not {method}.")
        self.allow = allow


class MalformedRequest(GatewayRefusal):
    code = "request.malformed"
    kind = Kind.MALFORMED


class BodyTooLarge(GatewayRefusal):
    code = "request.too_large"
    kind = Kind.TOO_LARGE

    def __init__(self, limit: int) -> None:
        super().__init__(f"A request body may have {limit} bytes at most.")


class HeadTooLarge(GatewayRefusal):
    """The request line and its headers are longer, or more, than anything we have a use for."""

    code = "request.head_too_large"
    kind = Kind.MALFORMED
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def __init__(self, max_bytes: int, max_headers: int) -> None:
        super().__init__(f"A request's head may have {max_bytes} bytes and {max_headers} headers at most.")


class HeadTooSlow(GatewayRefusal):
    """The client began a request and did not even finish its head in time."""

    code = "request.timeout"
    kind = Kind.MALFORMED
    status = HTTPStatus.REQUEST_TIMEOUT


class BodyTooSlow(GatewayRefusal):
    """The client began a body and did not finish it in the time of its route."""

    code = "request.timeout"
    kind = Kind.MALFORMED
    status = HTTPStatus.REQUEST_TIMEOUT


class TokenRefused(Unauthenticated):
    """An access token or API key was sent that opens nothing."""


class TokenInvalid(TokenRefused):
    code = "auth.token_invalid"


class TokenExpired(TokenRefused):
    code = "auth.token_expired"


class SessionEnded(TokenRefused):
    """A token of a session that its owner, or an operator, has ended."""

    code = "auth.session_ended"


class KeysUnavailable(Unavailable):
    """No key is at hand to verify a token with, and auth does not hand one out now."""

    code = "auth.keys_unavailable"


class EndedSessionsUnknown(Unavailable):
    """Auth has not told yet whose tokens open nothing any more."""

    code = "auth.ended_sessions_unknown"


class UpstreamUnavailable(Unavailable):
    code = "gateway.upstream_unavailable"


class UpstreamSuspended(Unavailable):
    """The service has failed too often of late: it is not asked before `retry_after` seconds."""

    code = "gateway.upstream_suspended"

    def __init__(self, service: str, *, retry_after: int) -> None:
        super().__init__(f"The {service} service does not work now, try later.", retry_after=retry_after)


class UpstreamOverloaded(Unavailable):
    """As many requests as the service may have at once are there already; this one was not sent."""

    code = "gateway.upstream_overloaded"

    def __init__(self, service: str) -> None:
        super().__init__(f"The {service} service has all that it can do, try again.", retry_after=1)


class UpstreamTimeout(GatewayRefusal):
    """The service took too long: what it decided is not known."""

    code = "gateway.upstream_timeout"
    kind = Kind.BUSY
    status = HTTPStatus.GATEWAY_TIMEOUT


class TooManyConnections(GatewayRefusal):
    """As many connections are open as may be: this one is closed before anything is read from it."""

    code = "gateway.too_many_connections"
    kind = Kind.BUSY

    def __init__(self, detail: str) -> None:
        # By then, connections that lie idle have been closed.
        super().__init__(detail, retry_after=5)


class ClientLeft(Exception):
    """The client closed its connection: there is nobody to answer."""


def refusal_response(error: DomainError) -> Response:
    """A refusal as problem+json, with the headers that its status asks for."""
    if isinstance(error, GatewayRefusal) and error.status is not None:
        problem = Problem.of(error.refusal, error.status)
        response = Response(problem.to_json(), problem.status, media_type=PROBLEM_JSON)
    else:
        response = problem_response(error.refusal, retry_after=error.retry_after)
    if isinstance(error, MethodNotAllowed):
        response.headers["allow"] = error.allow
    if isinstance(error, TokenRefused):
        response.headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return response
