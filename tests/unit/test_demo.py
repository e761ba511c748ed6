"""What the demo makes of a history, and of facts that do not hold."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.client import WorkflowHistory

from cli.demo.findings import Findings, NotShown
from cli.demo.saga import SagaStep, Timeline

HISTORIES = Path(__file__).parent.parent / "workflows" / "histories"


def told(name: str) -> list[SagaStep]:
    history = WorkflowHistory.from_json("checkout-1", (HISTORIES / f"{name}.json").read_text())
    timeline = Timeline()
    return [step for event in history.events if (step := timeline.read(event)) is not None]


def findings() -> tuple[Findings, StringIO]:
    said = StringIO()
    return Findings(Console(file=said, width=200)), said


def test_a_confirmed_checkout_is_told_step_by_step() -> None:
    assert [step.name for step in told("confirmed")] == [
        "inventory.reserve",
        "payments.authorize",
        "orders.confirm",
        "orders.close",
    ]


def test_a_refused_step_is_told_with_its_code_and_then_its_undos() -> None:
    steps = {step.name: step for step in told("declined")}

    assert steps["payments.authorize"].refusal == "payments.declined"
    assert steps["payments.authorize"].where == "queue payments"
    assert not steps["inventory.release"].refusal
    assert not steps["payments.void"].refusal


def test_a_local_activity_is_told_with_its_end_only() -> None:
    (step,) = [step for step in told("confirmed") if step.name == "orders.confirm"]

    assert (step.where, step.attempts, step.began) == ("inside the orders worker", 1, None)


def test_nothing_verified_is_not_everything_verified() -> None:
    found, _ = findings()

    assert not found.all_hold


def test_one_fact_that_does_not_hold_outweighs_the_others() -> None:
    found, said = findings()

    found.check(True, "water is wet")
    found.check(False, "the stock is as before", {"KIT-MOKA-3": 2})

    assert not found.all_hold
    assert (found.verified, found.failed) == (1, 1)
    assert "✗ not verified: the stock is as before; found {'KIT-MOKA-3': 2}" in said.getvalue()


def test_a_needed_fact_that_does_not_hold_ends_the_story() -> None:
    found, _ = findings()

    with pytest.raises(NotShown, match="201 confirmed; found 202"):
        found.need(False, "201 confirmed", 202)
