"""The AsyncAPI document, as a tool or a consumer reads it."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft7Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT7

from api.gateway.asyncapi import asyncapi
from api.gateway.docs import page
from contracts.events import Event
from contracts.inventory import STOCK_CHANGED, StockChanged
from contracts.published import PUBLISHED
from runtime.bus import stream_of
from runtime.clock import utc_now
from runtime.shards import SHARDS

DOCUMENT: Any = asyncapi()
CHANNELS, MESSAGES = DOCUMENT["channels"], DOCUMENT["components"]["messages"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(reference: str) -> Any:
    found = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def check(message: str, event: Any) -> None:
    """Raises where the event is not what the message's schema says."""
    registry = Registry().with_resource("urn:asyncapi", DRAFT7.create_resource(DOCUMENT))
    payload = f"urn:asyncapi#/components/messages/{message}/payload"
    Draft7Validator({"$ref": payload}, registry=registry).validate(event)


def stock_changed(**changes: Any) -> Any:
    data = StockChanged(sku="POT-1", on_hand=3, reserved=1, available=2, reason="reserved")
    event = Event.of(STOCK_CHANGED, subject="POT-1", sequence=1, time=utc_now(), data=data)
    return event.model_dump(mode="json") | changes


@pytest.mark.parametrize("reference", sorted(set(references(DOCUMENT))))
def test_every_reference_leads_somewhere(reference: str) -> None:
    assert isinstance(resolved(reference), dict)


def test_every_event_is_told_on_the_channel_of_its_service() -> None:
    told = {(name, message) for name, channel in CHANNELS.items() for message in channel["messages"]}
    assert told == {(one.service, one.type) for one in PUBLISHED}


def test_every_channel_has_the_one_that_sends_it_all() -> None:
    sent = {
        operation["channel"]["$ref"]: [one["$ref"] for one in operation["messages"]]
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "send"
    }
    assert sent == {
        f"#/channels/{name}": [f"#/channels/{name}/messages/{message}" for message in channel["messages"]]
        for name, channel in CHANNELS.items()
    }


@pytest.mark.parametrize("service", CHANNELS)
def test_a_channels_addresses_are_the_streams_of_the_bus(service: str) -> None:
    channel = CHANNELS[service]
    addresses = [channel["address"].format(shard=shard) for shard in channel["parameters"]["shard"]["enum"]]
    assert addresses == [stream_of(service, shard) for shard in range(SHARDS)]


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_has_a_schema_that_a_validator_takes(message: str) -> None:
    Draft7Validator.check_schema(MESSAGES[message]["payload"])
    for part in MESSAGES[message]["payload"]["allOf"]:
        for reference in references(part):
            Draft7Validator.check_schema(resolved(reference))


def test_an_event_is_what_its_message_says() -> None:
    check(STOCK_CHANGED, stock_changed())


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "inventory.other"},
        {"data": {"sku": "POT-1"}},
        {"sequence": "first"},
        {"subject": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_message_does_not_say_is_told_apart(changes: Any) -> None:
    with pytest.raises(ValidationError):
        check(STOCK_CHANGED, stock_changed(**changes))


def test_the_page_of_the_api_leads_to_it() -> None:
    assert 'href="/asyncapi.json"' in page({})
