"""RFC 9457: how a refusal looks over HTTP. The one mapping between kinds and status codes."""

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict

from contracts.errors import FieldProblem, Kind, Refusal

PROBLEM_JSON = "application/problem+json"

STATUS_OF = {
    Kind.MALFORMED: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.PAYMENT_REQUIRED: HTTPStatus.PAYMENT_REQUIRED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
}
_KIND_OF: dict[int, Kind] = {status: kind for kind, status in STATUS_OF.items()}


class Problem(BaseModel):
    """The body of every error answer; `code` is stable, `detail` is for people."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldProblem, ...] = ()

    @classmethod
    def of(cls, refusal: Refusal, status: HTTPStatus | None = None) -> "Problem":
        """`status` where HTTP has one that no kind stands for."""
        status = status or STATUS_OF[refusal.kind]
        return cls(
            type=f"urn:micromart:problem:{refusal.code}",
            title=status.phrase,
            status=status,
            detail=refusal.detail,
            code=refusal.code,
            errors=refusal.errors,
        )

    def to_json(self) -> bytes:
        """The body as sent; `errors` stands there only where it says something."""
        return self.model_dump_json(exclude=None if self.errors else {"errors"}).encode()


def kind_of(status: int) -> Kind:
    """What a status means; one that we never send is the server's fault."""
    return _KIND_OF.get(status, Kind.BUSY)
