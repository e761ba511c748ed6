"""Refusals: what the business says no to, by a stable code. All else is a bug or an outage."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """What a refusal means to its caller; HTTP and Temporal each map it in one place."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PAYMENT_REQUIRED = "payment_required"
    TOO_LARGE = "too_large"
    THROTTLED = "throttled"
    BUSY = "busy"


class FieldProblem(BaseModel):
    """One thing wrong, and where: a JSON pointer into the request, or the sku it concerns."""

    model_config = ConfigDict(frozen=True)

    at: str
    message: str


class Refusal(BaseModel):
    """A refusal as data, so that it can cross a process, a workflow's history or a table."""

    model_config = ConfigDict(frozen=True)

    code: str
    kind: Kind
    detail: str
    errors: tuple[FieldProblem, ...] = ()


class DomainError(Exception):
    """The base of every refusal. A subclass fixes `code` and `kind`; the detail is for people."""

    code: ClassVar[str] = "internal"
    kind: ClassVar[Kind] = Kind.INVALID

    def __init__(
        self, detail: str, *, errors: Sequence[FieldProblem] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after

    @property
    def refusal(self) -> Refusal:
        return Refusal(code=self.code, kind=self.kind, detail=self.detail, errors=self.errors)


class Refused(DomainError):
    """A refusal that arrived as data, raised again with its own code."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail, errors=refusal.errors)
        self._refusal = refusal

    @property
    def refusal(self) -> Refusal:
        return self._refusal


class Unavailable(DomainError):
    """Something needed is down or too slow: nothing was decided, the same call may be sent again."""

    code = "service.unavailable"
    kind = Kind.BUSY


class Unauthenticated(DomainError):
    code = "auth.unauthenticated"
    kind = Kind.UNAUTHENTICATED


class Forbidden(DomainError):
    code = "auth.forbidden"
    kind = Kind.FORBIDDEN
