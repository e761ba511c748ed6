"""The AsyncAPI document: every event that is published, on which stream, with what in it."""

import json
from functools import cache

from pydantic import BaseModel, JsonValue, TypeAdapter
from pydantic.json_schema import models_json_schema

from api.gateway.openapi import Object
from contracts.events import Event
from contracts.published import PUBLISHED, Published
from contracts.topology import SERVICES, hearers_of
from runtime.shards import SHARDS

CONTENT_TYPE = "application/cloudevents+json"
_SCHEMAS = "#/components/schemas/"
_OBJECT: TypeAdapter[Object] = TypeAdapter(Object)


@cache
def asyncapi_json() -> bytes:
    """The document as it is sent."""
    return json.dumps(asyncapi(), ensure_ascii=False, separators=(",", ":")).encode()


def asyncapi() -> Object:
    """The document of all services together; it follows from the code and asks nobody."""
    by_service = {
        service.name: [one for one in PUBLISHED if one.service == service.name] for service in SERVICES
    }
    said = {service: events for service, events in by_service.items() if events}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "MicroMart events",
            "version": "1",
            "description": (
                "What the services say of themselves. Every event is a CloudEvent; a subject's events come"
                " in the order of their `sequence`, each at least once. Fields may be added: ignore those"
                " that you do not know."
            ),
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "bus": {
                "host": "{bus}",
                "protocol": "redis",
                "description": "The Redis or Valkey of `MICROMART_BUS_REDIS_URL`.",
                "variables": {"bus": {"default": "localhost:6379", "description": "Its host and port."}},
            }
        },
        "channels": {service: _channel(service, events) for service, events in said.items()},
        "operations": {f"{service}.publish": _operation(service, events) for service, events in said.items()},
        "components": {
            "messages": {one.type: _message(one) for one in PUBLISHED},
            "schemas": _schemas(),
        },
    }


def _channel(service: str, events: list[Published]) -> Object:
    hearers = ", ".join(hearers_of(service)) or "none yet"
    return {
        "address": f"events:{service}:{{shard}}",
        "title": f"What {service} says",
        "description": (
            "A Redis stream. Each entry has the event in its field `body`, with `type` and `subject` beside."
            f" Its consumer groups: {hearers}."
        ),
        "servers": [{"$ref": "#/servers/bus"}],
        "parameters": {
            "shard": {
                "enum": [str(shard) for shard in range(SHARDS)],
                "description": f"CRC-32 of the subject, modulo {SHARDS}.",
            }
        },
        "messages": {one.type: {"$ref": f"#/components/messages/{one.type}"} for one in events},
    }


def _operation(service: str, events: list[Published]) -> Object:
    return {
        "action": "send",
        "title": f"{service} relays its outbox",
        "channel": {"$ref": f"#/channels/{service}"},
        "messages": [{"$ref": f"#/channels/{service}/messages/{one.type}"} for one in events],
    }


def _message(one: Published) -> Object:
    told: Object = {"type": {"const": one.type}, "data": {"$ref": f"{_SCHEMAS}{one.data.__name__}"}}
    payload: list[JsonValue] = [{"$ref": f"{_SCHEMAS}{Event.__name__}"}, {"properties": told}]
    return {
        "name": one.type,
        "title": one.type,
        "summary": one.meaning,
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": payload},
    }


def _schemas() -> Object:
    """The envelope and the data, as they are sent."""
    models: set[type[BaseModel]] = {Event, *(one.data for one in PUBLISHED)}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "serialization") for model in ordered], ref_template=_SCHEMAS + "{model}"
    )
    return _OBJECT.validate_python(definitions["$defs"])
