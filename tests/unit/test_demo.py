"""What the demo makes of a history, of events, of the provider's books, and of facts that do not hold."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.client import WorkflowHistory

from cli.demo.eventlog import SeenEvent, events_since, hearers_of
from cli.demo.findings import Findings, NotShown
from cli.demo.provider import Authorization
from cli.demo.saga import SagaStep, Timeline
from contracts.events import Event, EventData

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HISTORIES = Path(__file__).parent.parent / "workflows" / "histories" / "checkout"


def told(name: str) -> list[SagaStep]:
    history = WorkflowHistory.from_json("checkout-1", (HISTORIES / f"{name}.json").read_text())
    timeline = Timeline()
    return [step for event in history.events if (step := timeline.read(event)) is not None]


def findings() -> tuple[Findings, StringIO]:
    said = StringIO()
    return Findings(Console(file=said, width=200)), said


def seen(kind: str, *, committed: int, came: int) -> SeenEvent:
    """An event about one order, so many milliseconds after noon."""
    at, on_the_bus = (NOON + timedelta(milliseconds=ms) for ms in (committed, came))
    return SeenEvent(Event.of(kind, subject="o-1", sequence=1, time=at, data=EventData()), on_the_bus)


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


def test_what_follows_from_an_event_is_told_after_it_though_it_was_on_the_bus_before() -> None:
    requested = seen("fulfilment.shipping_requested", committed=0, came=40)
    captured = seen("payments.captured", committed=10, came=30)
    shipped = seen("fulfilment.shipped", committed=20, came=50)

    told = events_since("fulfilment.shipping_requested", [captured, requested, shipped])

    assert told == [requested, captured, shipped]


def test_what_was_committed_before_is_another_story() -> None:
    placed, confirmed = (
        seen("order.placed", committed=0, came=9),
        seen("order.confirmed", committed=5, came=9),
    )

    assert events_since("order.confirmed", [placed, confirmed]) == [confirmed]


def test_nothing_is_told_before_what_it_follows_from() -> None:
    assert events_since("order.confirmed", [seen("fulfilment.opened", committed=5, came=9)]) == []


def test_an_event_is_about_an_order_by_its_subject_or_by_what_it_says() -> None:
    settled = Event.of("carts.cart_settled", subject="c-1", sequence=1, time=NOON, data=EventData())
    named = settled.model_copy(update={"data": {"order_id": "o-1"}})

    assert SeenEvent(named, NOON).is_about("o-1")
    assert seen("order.confirmed", committed=0, came=0).is_about("o-1")
    assert not SeenEvent(settled, NOON).is_about("o-1")


def test_who_hears_an_event_is_read_from_the_workers_lists() -> None:
    assert hearers_of("order.confirmed") == ("carts", "fulfilment", "notifications")
    assert hearers_of("order.completed") == ()


@pytest.mark.parametrize(
    ("status", "captured", "refunded", "told_as"),
    [
        ("authorized", 0, 0, "37.70 EUR authorized"),
        ("voided", 0, 0, "37.70 EUR voided"),
        ("captured", 3770, 0, "37.70 EUR captured"),
        ("captured", 3770, 990, "37.70 EUR captured, 9.90 EUR refunded"),
    ],
)
def test_the_providers_books_are_told_with_what_became_of_an_amount(
    status: str, captured: int, refunded: int, told_as: str
) -> None:
    booked = Authorization(status=status, amount=3770, captured=captured, refunded=refunded, currency="EUR")

    assert str(booked) == told_as


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
