"""Whoever hears an event can read it, and everybody agrees on who hears whom."""

from typing import Any

import pytest
from pydantic import create_model

from contracts.events import Facts
from contracts.orders import ORDER_CONFIRMED
from contracts.published import PUBLISHED
from contracts.topology import SERVICES, Service
from proof.events_document import DOCUMENT, hearing, renewed
from runtime.reactions import Reaction
from tests.contracts.compatibility import fields_sent, unread

HEARS = hearing()
PUBLISHED_BY = {one.type: one for one in PUBLISHED}
REACTIONS = [
    pytest.param(reaction, id=f"{reaction.handler}-{reaction.event_type}")
    for reactions in HEARS.values()
    for reaction in reactions
]


def misread(event_type: str, facts: type[Facts]) -> list[str]:
    data = PUBLISHED_BY[event_type].data.model_json_schema(mode="serialization")
    read = facts.model_json_schema(mode="validation")
    return list(
        unread(fields_sent(data, data.get("$defs", {}), ""), fields_sent(read, read.get("$defs", {}), ""))
    )


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_hears_those_whom_the_topology_says_it_hears(service: Service) -> None:
    """Their streams are the ones that it reads."""
    heard = {PUBLISHED_BY[reaction.event_type].service for reaction in HEARS[service.name]}
    assert heard == set(service.hears)


@pytest.mark.parametrize("reaction", REACTIONS)
def test_a_reaction_reads_only_what_is_published(reaction: Reaction[Any, Any]) -> None:
    assert misread(reaction.event_type, reaction.facts) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order_id": (str, ...)}, []),
        ({"state": (str, ...), "placed_at": (str, ...)}, []),
        ({"customer_id": (str | None, None)}, []),
        ({"email": (str | None, None)}, ["email is not published"]),
        ({"generation": (str, ...)}, ["generation may be integer, only string is read"]),
        ({"customer_id": (str, ...)}, ["customer_id may be null, only string is read"]),
    ],
)
def test_the_check_tells_readable_facts_from_others(fields: dict[str, Any], expected: list[str]) -> None:
    assert misread(ORDER_CONFIRMED, create_model("SomeFacts", __base__=Facts, **fields)) == expected


def test_a_handlers_name_belongs_to_one_service() -> None:
    """Under it events are parked, and the workflows named that retry them."""
    owners = [
        (handler, service) for service, hears in HEARS.items() for handler in {one.handler for one in hears}
    ]
    assert len({handler for handler, _ in owners}) == len(owners)


def test_the_document_says_what_the_code_does() -> None:
    written = DOCUMENT.read_text()
    assert written == renewed(written), "docs/events.md is out of date: python -m proof.events_document"
