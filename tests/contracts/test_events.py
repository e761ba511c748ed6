"""Events are promises to consumers: a field may be added, none may go or change its type."""

import pkgutil
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel, create_model

import contracts
from contracts.events import Event, EventData
from contracts.inventory import STOCK_CHANGED, StockChanged
from contracts.published import PUBLISHED
from contracts.topology import SERVICES
from tests.contracts.compatibility import Fields, fields_read, missing, snapshot, unkept, verdict

EVENTS = "events.json"


def named() -> Iterator[str]:
    """Every event type, by the constants that name them beside their data."""
    for found in pkgutil.iter_modules(contracts.__path__):
        module = import_module(f"contracts.{found.name}")
        if any(one.__module__ == module.__name__ for one in data_classes()):
            yield from (
                value
                for name, value in vars(module).items()
                if name.isupper() and isinstance(value, str) and "." in value
            )


def data_classes(base: type[EventData] = EventData) -> Iterator[type[EventData]]:
    """What events carry: the classes that no other one is made of."""
    for known in base.__subclasses__():
        if known.__module__.startswith("contracts."):
            yield from list(data_classes(known)) or [known]


def fields(model: type[BaseModel]) -> Fields:
    schema = model.model_json_schema(mode="serialization")
    return fields_read(schema, schema.get("$defs", {}))


def promised() -> dict[str, Any]:
    """All that a consumer can rely on."""
    return {"envelope": fields(Event), "events": {one.type: fields(one.data) for one in PUBLISHED}}


def broken(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    events = now["events"]
    gone = [f"the event {name} is gone" for name in before["events"] if name not in events]
    envelope = [f"the envelope's {what}" for what in missing(before["envelope"], now["envelope"])]
    data = [
        f"{name}: {what}"
        for name, known in before["events"].items()
        if name in events
        for what in missing(known, events[name])
    ]
    return gone + envelope + data


def test_every_type_that_has_a_name_is_published_and_stands_there_once() -> None:
    assert Counter(one.type for one in PUBLISHED) == Counter(named())


def test_every_event_has_data_of_its_own_service_and_no_data_lies_idle() -> None:
    assert {one.data for one in PUBLISHED} == set(data_classes())
    assert {(one.type, one.service) for one in PUBLISHED} == {
        (one.type, one.data.__module__.removeprefix("contracts.")) for one in PUBLISHED
    }


def test_every_event_comes_from_a_service_that_exists() -> None:
    assert {one.service for one in PUBLISHED} <= {service.name for service in SERVICES}


def test_no_consumer_loses_what_it_reads() -> None:
    now = promised()
    lost = broken(snapshot(EVENTS, now), now)
    assert not lost, verdict(EVENTS, lost)


def test_every_event_that_is_published_stands_in_the_snapshot() -> None:
    """Else its fields would be nobody's promise."""
    now = promised()
    kept = snapshot(EVENTS, now)
    for part, what in now.items():
        assert set(what) <= set(kept[part]), unkept(EVENTS, what, kept[part])


def with_stock_changed(**changes: Any) -> dict[str, Any]:
    """The promises, had StockChanged other fields; None takes one out."""
    kept = {name: (info.annotation, ...) for name, info in StockChanged.model_fields.items()}
    given = {name: field for name, field in (kept | changes).items() if field is not None}
    now = promised()
    return now | {"events": now["events"] | {STOCK_CHANGED: fields(create_model("StockChanged", **given))}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"warehouse": (str, ...)}, []),
        ({"reason": None}, ["inventory.stock_changed: reason is gone"]),
        ({"available": (str, ...)}, ["inventory.stock_changed: available was integer, is string"]),
        ({"sku": (str | None, ...)}, ["inventory.stock_changed: sku was string, is null or string"]),
        ({"on_hand": (int, 0)}, []),
    ],
)
def test_the_check_tells_additions_from_breaches(changes: dict[str, Any], expected: list[str]) -> None:
    assert broken(promised(), with_stock_changed(**changes)) == expected


def test_the_check_misses_an_event_that_is_gone() -> None:
    now = promised()
    fewer = {name: data for name, data in now["events"].items() if name != STOCK_CHANGED}
    assert broken(now, now | {"events": fewer}) == ["the event inventory.stock_changed is gone"]
