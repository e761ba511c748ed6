"""The platform's OpenAPI document is a promise to clients: it may be added to."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest
from pydantic import SecretStr

from api.gateway.openapi import Object, merge
from api.gateway.routes import ROUTES
from contracts.topology import SERVICES
from runtime.settings import Settings
from tests.contracts.bounds import is_endless
from tests.contracts.compatibility import (
    fields_read,
    fields_sent,
    missing,
    refused,
    snapshot,
    unkept,
    verdict,
)

OPENAPI = "openapi.json"

PROMISED_ROUTES = [
    "POST /v1/auth/register",
    "POST /v1/auth/login",
    "POST /v1/auth/refresh",
    "POST /v1/auth/logout",
    "GET /v1/auth/me",
    "GET /.well-known/jwks.json",
    "GET /v1/products",
    "GET /v1/products/{}",
    "POST /v1/products",
    "PATCH /v1/products/{}",
    "DELETE /v1/products/{}",
    "GET /v1/categories",
    "POST /v1/categories",
    "GET /v1/inventory/{}",
    "PUT /v1/inventory/{}",
    "POST /v1/inventory/{}/adjustments",
    "POST /v1/carts",
    "GET /v1/carts/{}",
    "PUT /v1/carts/{}/items/{}",
    "DELETE /v1/carts/{}/items/{}",
    "POST /v1/carts/mine/merge",
    "POST /v1/checkouts",
    "GET /v1/checkouts/{}",
    "POST /v1/checkouts/{}/cancel",
    "GET /v1/orders",
    "GET /v1/orders/{}",
    "GET /v1/admin/orders",
    "GET /v1/admin/orders/{}",
]


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """What each service says of itself."""
    secret = SecretStr("no server is asked for a document")
    settings = Settings(
        identity_secret=secret,
        service_secret=secret,
        order_token_secret=secret,
        auth_key_secret=secret,
        psp_webhook_secret=secret,
    )
    documents: dict[str, Any] = {}
    for service in SERVICES:
        module = import_module(f"api.{service.name}.app")
        documents[service.name] = getattr(module, f"{service.name}_app")(settings).openapi()
    return documents


@pytest.fixture(scope="module")
def document(documents: dict[str, Any]) -> Object:
    """What GET /openapi.json answers while every service is there."""
    return merge(documents, ROUTES, ())


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, Any]:
    """Every operation by method and path, with what it takes and what it answers."""
    schemas = document["components"]["schemas"]
    return {
        f"{method.upper()} {_without_names(path)}": _promise(operation, schemas)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def _without_names(path: str) -> str:
    """Clients fill a path's parameters in; what they are called is nobody's business."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _promise(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    takes: dict[str, str] = {}
    for one in operation.get("parameters", ()):
        if one["in"] != "path":
            at = f"{one['in']}.{one['name'].lower()}{'' if one['required'] else '?'}"
            takes |= fields_sent(one["schema"], schemas, at)
    if body := operation.get("requestBody"):
        takes |= fields_sent(_schema(body), schemas, "body" if body.get("required") else "body?")
    return {
        "takes": takes,
        "answers": {
            status: fields_read(_schema(response), schemas)
            for status, response in operation["responses"].items()
            if status != "default"
        },
        "needs": operation["security"],
    }


def _schema(message: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = message.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def broken(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, promise in before.items():
        if name not in now:
            yield f"{name} is gone"
            continue
        changed = now[name]
        yield from (f"{name}: {what}" for what in refused(promise["takes"], changed["takes"]))
        if changed["needs"] != promise["needs"]:
            yield f"{name}: needed {promise['needs']}, needs {changed['needs']}"
        for status, fields in promise["answers"].items():
            if status not in changed["answers"]:
                yield f"{name}: does not answer {status} any more"
            else:
                lost = missing(fields, changed["answers"][status])
                yield from (f"{name}: of the answer {status}, {what}" for what in lost)


@pytest.mark.parametrize("route", PROMISED_ROUTES)
def test_a_promised_route_is_there(operations: dict[str, Any], route: str) -> None:
    assert route in operations


def test_no_client_loses_what_it_sends_or_reads(operations: dict[str, Any]) -> None:
    lost = list(broken(snapshot(OPENAPI, operations), operations))
    assert not lost, verdict(OPENAPI, lost)


def test_every_route_stands_in_the_snapshot(operations: dict[str, Any]) -> None:
    kept = snapshot(OPENAPI, operations)
    assert operations.keys() <= kept.keys(), unkept(OPENAPI, operations, kept)


def test_every_text_outside_of_a_body_has_an_end(documents: dict[str, Any]) -> None:
    """Of path, query and headers alike; the services' own documents have what the gateway's leaves out."""
    endless = [
        f"{method.upper()} {path}: {one['in']}.{one['name']}"
        for document in documents.values()
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for one in operation.get("parameters", ())
        if is_endless(one["schema"], document["components"]["schemas"])
    ]
    assert not endless, f"give these a max_length or a pattern with an end: {', '.join(endless)}"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, True),
        ({"type": "string", "pattern": "^[a-z]+$"}, True),
        ({"type": "string", "pattern": "^[a-z]{1,}$"}, True),
        ({"type": "string", "pattern": "[a-z]{1,64}"}, True),
        ({"type": "string", "pattern": "^[a-z]$|b"}, True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        ({"type": "array", "items": {"type": "string"}}, True),
        ({"$ref": "#/components/schemas/Any"}, True),
        ({}, True),
        ({"type": "string", "maxLength": 64}, False),
        ({"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$"}, False),
        ({"type": "string", "format": "date-time"}, False),
        ({"enum": ["price"], "type": "string"}, False),
        ({"anyOf": [{"type": "string", "maxLength": 64}, {"type": "null"}]}, False),
        ({"type": "integer"}, False),
    ],
)
def test_the_check_knows_what_has_an_end(schema: dict[str, Any], expected: bool) -> None:
    assert is_endless(schema, {"Any": {"type": "string"}}) is expected


def test_a_checkouts_key_is_documented_as_what_it_must_be(document: Any) -> None:
    [key] = document["paths"]["/v1/checkouts"]["post"]["parameters"]
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    assert key == {"name": "idempotency-key", "in": "header", "required": True, "schema": schema}


def test_a_checkouts_answers_are_documented(document: Any) -> None:
    answers = document["paths"]["/v1/checkouts"]["post"]["responses"]
    assert answers.keys() == {"201", "202", "400", "402", "409", "422", "default"}
    assert answers["201"]["headers"].keys() == {"Location"}
    assert answers["202"]["headers"].keys() == {"Location", "Retry-After"}
    for status in ("400", "402", "409", "422"):
        [(media_type, content)] = answers[status]["content"].items()
        assert media_type == "application/problem+json"
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_all_of_a_step_is_always_told(document: Any) -> None:
    step = document["components"]["schemas"]["Step"]
    assert set(step["required"]) == step["properties"].keys()


def test_every_route_of_the_gateway_is_documented(operations: dict[str, Any]) -> None:
    # `mine` is one of a cart's names: the services' own document has the route once.
    reachable = {f"{route.method} {_without_names(route.path)}" for route in ROUTES}
    assert {_of_any_cart(name) for name in reachable} == {_of_any_cart(name) for name in operations}


def _of_any_cart(route: str) -> str:
    return route.replace("/carts/mine", "/carts/{}")


def checkout(operations: Mapping[str, Any], part: str, **changes: Any) -> dict[str, Any]:
    """The operations, had placing a checkout other fields; None takes one out."""
    place = dict(operations["POST /v1/checkouts"])
    given = {name: kind for name, kind in (place[part] | changes).items() if kind is not None}
    return {**operations, "POST /v1/checkouts": place | {part: given}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"body.gift?": "boolean"}, None),
        ({"body.email": None, "body.email?": "string (email)"}, None),
        ({"body.gift?": "object", "body.gift?.text": "string"}, None),
        ({"header.idempotency-key": None, "header.idempotency-key?": "string"}, None),
        ({"header.idempotency-key": None}, "header.idempotency-key is not taken any more"),
        ({"body.gift": "boolean"}, "body.gift is required now"),
        ({"header.x-new": "string"}, "header.x-new is required now"),
        ({"body.email": None}, "body.email is not taken any more"),
        ({"body.cart_id": "integer"}, "body.cart_id took string, takes integer"),
    ],
)
def test_the_check_knows_what_a_sender_minds(
    operations: dict[str, Any], changes: dict[str, Any], expected: str | None
) -> None:
    found = list(broken(operations, checkout(operations, "takes", **changes)))
    assert found == ([f"POST /v1/checkouts: {expected}"] if expected else [])


def test_the_check_knows_what_a_reader_minds(operations: dict[str, Any]) -> None:
    answers = operations["POST /v1/checkouts"]["answers"]
    without_state = {field: kind for field, kind in answers["201"].items() if field != "state"}
    found = list(broken(operations, checkout(operations, "answers", **{"201": without_state, "202": None})))
    assert found == [
        "POST /v1/checkouts: of the answer 201, state is gone",
        "POST /v1/checkouts: does not answer 202 any more",
    ]


def test_a_route_that_is_gone_is_told(operations: dict[str, Any]) -> None:
    fewer = {name: promise for name, promise in operations.items() if name != "GET /v1/orders"}
    assert list(broken(operations, fewer)) == ["GET /v1/orders is gone"]
