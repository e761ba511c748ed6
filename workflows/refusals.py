"""Why a step did not happen, read from what Temporal raises."""

import asyncio

from pydantic import ValidationError
from temporalio import exceptions

from contracts.checkout import CANCELLED
from contracts.errors import Kind, Refusal


def refusal_in(error: BaseException) -> Refusal:
    """The refusal inside a failure: the service's own where it gave one, else what Temporal says."""
    if isinstance(error, (asyncio.CancelledError, exceptions.CancelledError)):
        return CANCELLED
    cause = error.cause if isinstance(error, exceptions.FailureError) else None
    if isinstance(error, exceptions.ActivityError) and cause is not None:
        return refusal_in(cause)
    if isinstance(error, exceptions.ApplicationError):
        return _as_refusal(error)
    return Refusal(code="checkout.step_failed", kind=Kind.CONFLICT, detail=str(error)[:500])


def is_refused(error: BaseException) -> bool:
    """Whether a service said no for good; else it, or the way to it, is out of order."""
    return (
        isinstance(error, exceptions.ActivityError)
        and error.retry_state is exceptions.RetryState.NON_RETRYABLE_FAILURE
    )


def attempts_in(error: BaseException) -> int:
    """At which attempt a step refused; 0 where it did not get as far as an answer."""
    cause = error.cause if isinstance(error, exceptions.ActivityError) else error
    if isinstance(cause, exceptions.ApplicationError) and len(cause.details) > 1:
        return int(cause.details[1])
    return 0


def _as_refusal(error: exceptions.ApplicationError) -> Refusal:
    try:
        return Refusal.model_validate(error.details[0] if error.details else None)
    except ValidationError:
        return Refusal(
            code=error.type or "checkout.step_failed", kind=Kind.CONFLICT, detail=error.message[:500]
        )
