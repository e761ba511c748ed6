"""Why a step did not happen, whatever Temporal wraps around it."""

import asyncio

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as StepTimedOut

from contracts.checkout import CANCELLED
from contracts.errors import DomainError, FieldProblem, Kind, Refusal, Unavailable
from runtime.temporal import application_error
from services.inventory.errors import OutOfStock
from workflows.refusals import attempts_in, refusal_in

OUT_OF_STOCK = OutOfStock("Not all of this can be had.", errors=[FieldProblem(at="MUG", message="1 wanted")])


def activity_error(cause: BaseException | None) -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="inventory.reserve",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


def carried(error: DomainError, attempt: int = 1) -> ApplicationError:
    """The error as it arrives: what it carries went through the history as JSON."""
    sent = application_error(error, attempt)
    details = [sent.details[0].model_dump(mode="json"), *sent.details[1:]]
    return ApplicationError(sent.message, *details, type=sent.type, non_retryable=sent.non_retryable)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_services_refusal_arrives_whole(wrapped: bool) -> None:
    error = carried(OUT_OF_STOCK, attempt=3)
    arrived = activity_error(error) if wrapped else error
    assert refusal_in(arrived) == OUT_OF_STOCK.refusal
    assert attempts_in(arrived) == 3


@pytest.mark.parametrize("cancelled", [asyncio.CancelledError(), CancelledError("cancelled")])
def test_a_cancellation_is_the_checkouts_own_refusal(cancelled: BaseException) -> None:
    assert refusal_in(cancelled) == refusal_in(activity_error(cancelled)) == CANCELLED
    assert attempts_in(cancelled) == 0


def test_a_refusal_without_its_data_keeps_its_type() -> None:
    error = activity_error(ApplicationError("no", type="test.refused", non_retryable=True))
    assert refusal_in(error) == Refusal(code="test.refused", kind=Kind.CONFLICT, detail="no")
    assert attempts_in(error) == 0


def test_a_failure_without_a_type_has_a_code_all_the_same() -> None:
    assert refusal_in(ApplicationError("no")).code == "checkout.step_failed"


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_timeout_is_a_step_that_failed(wrapped: bool) -> None:
    timeout = StepTimedOut("too slow", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])
    refusal = refusal_in(activity_error(timeout) if wrapped else timeout)
    assert (refusal.code, refusal.kind) == ("checkout.step_failed", Kind.CONFLICT)


def test_a_failure_without_a_cause_is_a_step_that_failed() -> None:
    assert refusal_in(activity_error(None)).code == "checkout.step_failed"


def test_no_detail_is_longer_than_a_row_of_the_table_can_show() -> None:
    assert len(refusal_in(ApplicationError("x" * 10_000)).detail) <= 500


def test_only_a_refusal_that_asks_for_patience_is_retried() -> None:
    busy, final = application_error(Unavailable("away", retry_after=2), 1), application_error(OUT_OF_STOCK, 1)
    assert (busy.non_retryable, final.non_retryable) == (False, True)
    assert busy.next_retry_delay is not None
    assert (final.type, final.next_retry_delay) == ("inventory.out_of_stock", None)
