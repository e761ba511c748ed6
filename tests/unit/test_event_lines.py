"""An event on one line, for people who look at the bus."""

from typing import Any

import pytest

from cli.events.tail import as_text
from contracts.events import Event
from runtime.bus import Delivery
from runtime.clock import utc_now


def line(data: dict[str, Any], *, subject: str = "order-1", event_type: str = "order.placed") -> str:
    event = Event(type=event_type, source="/", subject=subject, sequence=7, time=utc_now(), data=data)
    return as_text(Delivery("events:orders:0", "1-0", event_type, subject, event.model_dump_json())).plain


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"state": "pending"}, " state=pending"),
        ({"total": {"amount": 1999, "currency": "EUR"}}, " total=19.99 EUR"),
        ({"lines": [{"sku": "A"}, {"sku": "B"}]}, " lines=[2]"),
        ({"other": {"a": 1}}, " other={1}"),
        ({"paid": False}, " paid=false"),
        ({"reason": None}, ""),
        ({"order_id": "order-1"}, ""),
        ({"text": "x" * 100}, f" text={'x' * 39}…"),
    ],
)
def test_what_an_event_says_is_told_in_short(data: dict[str, Any], shown: str) -> None:
    assert line(data).partition("#7")[2] == shown


def test_nothing_in_an_event_reaches_the_terminal_as_a_command() -> None:
    shown = line({"text\x1b[2J": "a\x1b[31m\nb"}, subject="s\x1b]0;x\x07", event_type="order.\x1bc")
    assert shown.isprintable()
