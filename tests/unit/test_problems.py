"""Refusals over HTTP and back."""

import json

import pytest

from contracts.errors import FieldProblem, Kind, Refusal, Refused
from contracts.problems import STATUS_OF, Problem, kind_of

REFUSAL = Refusal(code="inventory.out_of_stock", kind=Kind.CONFLICT, detail="Not all of this can be had.")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.MALFORMED, 400),
        (Kind.UNAUTHENTICATED, 401),
        (Kind.PAYMENT_REQUIRED, 402),
        (Kind.FORBIDDEN, 403),
        (Kind.NOT_FOUND, 404),
        (Kind.CONFLICT, 409),
        (Kind.TOO_LARGE, 413),
        (Kind.INVALID, 422),
        (Kind.BUSY, 503),
    ],
)
def test_a_kind_is_one_status(kind: Kind, status: int) -> None:
    assert Problem.of(REFUSAL.model_copy(update={"kind": kind})).status == status


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_survives_the_way_there_and_back(kind: Kind) -> None:
    assert kind_of(STATUS_OF[kind]) is kind


@pytest.mark.parametrize("status", [418, 499, 500, 502, 504, 599])
def test_a_status_that_we_never_send_is_the_servers_fault(status: int) -> None:
    assert kind_of(status) is Kind.BUSY


def test_a_problem_is_rfc_9457_with_a_stable_code() -> None:
    assert json.loads(Problem.of(REFUSAL).to_json()) == {
        "type": "urn:micromart:problem:inventory.out_of_stock",
        "title": "Conflict",
        "status": 409,
        "detail": "Not all of this can be had.",
        "code": "inventory.out_of_stock",
    }


def test_errors_stand_there_where_they_say_something() -> None:
    short = FieldProblem(at="MUG", message="2 wanted, 1 available")
    problem = Problem.of(REFUSAL.model_copy(update={"errors": (short,)}))
    assert json.loads(problem.to_json())["errors"] == [{"at": "MUG", "message": "2 wanted, 1 available"}]


def test_a_refusal_that_arrived_is_raised_as_what_it_was() -> None:
    assert Refused(REFUSAL).refusal == REFUSAL
