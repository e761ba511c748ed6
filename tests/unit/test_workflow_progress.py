"""The running table of a checkout's steps."""

from datetime import UTC, datetime, timedelta

from contracts.checkout import FORWARD_STEPS, Step, StepName, StepState
from workflows.progress import Progress

NOON = datetime(2026, 11, 22, 12, 0, 0, 7_000, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)

RESERVE, AUTHORIZE, CONFIRM = FORWARD_STEPS


def test_every_planned_step_waits_at_first() -> None:
    assert Progress(FORWARD_STEPS).steps == tuple(Step(name=name) for name in FORWARD_STEPS)


def test_a_step_runs_and_completes() -> None:
    progress = Progress((RESERVE,))
    progress.started(RESERVE, NOON)
    assert progress.steps == (Step(name=RESERVE, state=StepState.RUNNING, started_at=NOON),)
    progress.completed(RESERVE, LATER, attempts=2)
    assert progress.steps == (
        Step(name=RESERVE, state=StepState.COMPLETED, attempts=2, started_at=NOON, finished_at=LATER),
    )


def test_a_step_that_begins_again_keeps_its_first_start() -> None:
    progress = Progress((CONFIRM,))
    progress.started(CONFIRM, NOON)
    progress.failing(CONFIRM, attempts=1, detail="the database is away")
    progress.started(CONFIRM, LATER)
    [step] = progress.steps
    assert (step.state, step.started_at) == (StepState.RUNNING, NOON)


def test_a_step_that_completes_in_the_end_no_longer_tells_of_its_trouble() -> None:
    progress = Progress((CONFIRM,))
    progress.failing(CONFIRM, attempts=1, detail="the database is away")
    progress.completed(CONFIRM, LATER, attempts=2)
    assert progress.steps[0].detail is None


def test_a_refused_step_says_why() -> None:
    progress = Progress((RESERVE,))
    progress.refused(RESERVE, LATER, attempts=1, detail="out of stock")
    assert progress.steps == (
        Step(name=RESERVE, state=StepState.REFUSED, attempts=1, finished_at=LATER, detail="out of stock"),
    )


def test_an_interrupted_step_is_neither_done_nor_refused() -> None:
    progress = Progress((RESERVE,))
    progress.started(RESERVE, NOON)
    progress.interrupted(RESERVE, LATER)
    assert (progress.steps[0].state, progress.steps[0].finished_at) == (StepState.INTERRUPTED, LATER)


def test_undos_join_behind_the_plan_when_they_begin() -> None:
    progress = Progress(FORWARD_STEPS)
    progress.started(StepName.VOID_PAYMENT, NOON)
    progress.started(RESERVE, NOON)
    assert [step.name for step in progress.steps] == [*FORWARD_STEPS, StepName.VOID_PAYMENT]


def test_the_table_has_one_row_a_step() -> None:
    progress = Progress((RESERVE, AUTHORIZE))
    progress.started(RESERVE, NOON)
    progress.refused(RESERVE, LATER, attempts=3, detail="out of stock")
    assert progress.as_markdown().splitlines()[2:] == [
        "| ✗ | `inventory.reserve` | refused | 3 | 12:00:00.007 | 12:00:01.007 | out of stock |",
        "| · | `payments.authorize` | waiting |  |  |  |  |",
    ]


def test_no_detail_breaks_the_table() -> None:
    progress = Progress((RESERVE,))
    progress.failing(RESERVE, attempts=1, detail="first | second\nthird")
    head, rule, *rows = progress.as_markdown().splitlines()
    assert len(rows) == 1
    assert rows[0].replace(r"\|", "").count("|") == head.count("|") == rule.count("|")
