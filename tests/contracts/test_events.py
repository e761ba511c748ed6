"""Events are promises to consumers: a field may be added, none may go or change its type."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import create_model

import contracts
from contracts.events import Event, EventData
from contracts.inventory import StockChanged
from tests.contracts.compatibility import Fields, fields_read, missing, snapshot, unkept, verdict

EVENTS = "events.json"
TYPE = re.compile(r"[a-z]+\.[a-z_]+")


def modules() -> list[Any]:
    return [import_module(f"contracts.{found.name}") for found in pkgutil.iter_modules(contracts.__path__)]


def types() -> list[str]:
    """Every event type that is published, by the constants that name them beside their data."""
    return sorted(
        value
        for module in modules()
        if any(issubclass(one, EventData) for one in vars(module).values() if isinstance(one, type))
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and TYPE.fullmatch(value)
    )


def data_classes(base: type[EventData] = EventData) -> Iterator[type[EventData]]:
    for known in base.__subclasses__():
        if known.__module__.startswith("contracts."):
            yield known
            yield from data_classes(known)


def fields(model: type[Event] | type[EventData]) -> Fields:
    schema = model.model_json_schema(mode="serialization")
    return fields_read(schema, schema.get("$defs", {}))


def promised() -> dict[str, Any]:
    """All that a consumer can rely on."""
    published = types()
    return {
        "types": published,
        "envelope": fields(Event),
        "data": {model.__name__: fields(model) for model in data_classes()},
    }


def broken(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    gone = [f"the event {name} is gone" for name in before["types"] if name not in now["types"]]
    envelope = [f"the envelope's {what}" for what in missing(before["envelope"], now["envelope"])]
    data = [
        f"{name}: {what}"
        for name, known in before["data"].items()
        for what in missing(known, now["data"].get(name, {}))
    ]
    return gone + envelope + data


def test_no_consumer_loses_what_it_reads() -> None:
    now = promised()
    lost = broken(snapshot(EVENTS, now), now)
    assert not lost, verdict(EVENTS, lost)


def test_every_event_that_is_published_stands_in_the_snapshot() -> None:
    """Else its fields would be nobody's promise."""
    now = promised()
    kept = snapshot(EVENTS, now)
    for part in ("types", "data"):
        assert set(now[part]) <= set(kept[part]), unkept(EVENTS, now[part], kept[part])


def stock_changed(**changes: Any) -> dict[str, Any]:
    """The promises, had StockChanged other fields; None takes one out."""
    kept = {name: (info.annotation, ...) for name, info in StockChanged.model_fields.items()}
    given = {name: field for name, field in (kept | changes).items() if field is not None}
    changed = create_model("StockChanged", **given)
    now = promised()
    schema = changed.model_json_schema(mode="serialization")
    return now | {"data": now["data"] | {"StockChanged": fields_read(schema, {})}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"warehouse": (str, ...)}, []),
        ({"reason": None}, ["StockChanged: reason is gone"]),
        ({"available": (str, ...)}, ["StockChanged: available was integer, is string"]),
        ({"sku": (str | None, ...)}, ["StockChanged: sku was string, is null or string"]),
        ({"on_hand": (int, 0)}, []),
    ],
)
def test_the_check_tells_additions_from_breaches(changes: dict[str, Any], expected: list[str]) -> None:
    assert broken(promised(), stock_changed(**changes)) == expected
