"""One OpenAPI document out of the services' own: only what the route table lets through."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPMethod

from pydantic import JsonValue

from api.gateway.routes import Access, Route
from contracts.identity import ORDER_TOKEN_HEADER
from contracts.problems import PROBLEM_JSON, Problem

Object = dict[str, JsonValue]

_SCHEMAS = "#/components/schemas/"
_METHODS = frozenset(method.lower() for method in HTTPMethod)
_PARAMETER = re.compile(r"{[^}]*}")
# What FastAPI documents for invalid requests by default; we answer them with a problem.
_FRAMEWORK_ERROR = "HTTPValidationError"
# Services say why they refuse; how a refusal looks is the same everywhere.
_PROBLEM: Object = {"content": {PROBLEM_JSON: {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}}
_BEARER: JsonValue = {"bearerAuth": []}
_SECURITY_SCHEMES: Object = {
    "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "orderToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Order-Token",
        "description": "A guest's proof of an order: `access_token` of the checkout's answer.",
    },
}


def merge(documents: Mapping[str, Object], routes: Iterable[Route], unavailable: Sequence[str]) -> Object:
    """The platform's document; the services that could not be asked are named in `x-unavailable`."""
    allowed = {(route.service, route.method.lower(), _shape(route.path)): route for route in routes}
    renames = _renames(documents)
    paths: Object = {}
    schemas = _own_schemas()
    for service, document in sorted(documents.items()):
        names = renames[service]
        document = as_object(_renamed(document, names))
        schemas |= {names.get(name, name): schema for name, schema in _schemas_of(document).items()}
        for path, item in as_object(document.get("paths")).items():
            operations: Object = {
                method: _operation(as_object(operation), route)
                for method, operation in as_object(item).items()
                if method in _METHODS and (route := allowed.get((service, method, _shape(path))))
            }
            if operations:
                paths[path] = as_object(paths.get(path)) | operations
    merged: Object = {
        "openapi": "3.1.0",
        "info": {
            "title": "MicroMart",
            "version": "1",
            "description": "Every route of the platform, as the services behind the gateway describe them.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _reachable(schemas, paths),
            "responses": {
                "Problem": {"description": "A refusal or a failure (RFC 9457)", **_PROBLEM},
            },
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }
    if unavailable:
        merged["x-unavailable"] = [*sorted(unavailable)]
    return merged


def as_object(value: JsonValue) -> Object:
    """The value where it is an object, else an empty one: a service's document is not ours to trust."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _shape(path: str) -> str:
    """A path without the names of its parameters, which each side chooses for itself."""
    return _PARAMETER.sub("{}", path)


def _operation(operation: Object, route: Route) -> Object:
    parameters = as_list(operation.get("parameters"))
    kept = [one for one in parameters if str(as_object(one).get("name")).lower() != ORDER_TOKEN_HEADER]
    security: list[JsonValue] = [_BEARER] if route.access is not Access.ANYONE else [{}, _BEARER]
    if len(kept) < len(parameters):
        security.append({"orderToken": []})
    responses: Object = {
        status: as_object(response) | _PROBLEM if status.startswith(("4", "5")) else response
        for status, response in as_object(operation.get("responses")).items()
        if _FRAMEWORK_ERROR not in _names_in(response)
    }
    problem: JsonValue = {"$ref": "#/components/responses/Problem"}
    changed: Object = {"security": security, "responses": {"default": problem} | responses}
    if route.access not in (Access.ANYONE, Access.USER):
        changed["x-role"] = route.access.value
    if parameters:
        changed["parameters"] = kept
    return operation | changed


def _schemas_of(document: Object) -> Object:
    return as_object(as_object(document.get("components")).get("schemas"))


def _renames(documents: Mapping[str, Object]) -> dict[str, dict[str, str]]:
    """New names, by service, for schemas of one name that do not mean the same everywhere."""
    # Seeded with ours, which keep their names whatever a service calls so.
    meanings: dict[str, dict[str, JsonValue]] = {
        name: {"gateway": schema} for name, schema in _own_schemas().items()
    }
    for service, document in documents.items():
        for name, schema in _schemas_of(document).items():
            meanings.setdefault(name, {})[service] = schema
    shared = {name: list(by.values()) for name, by in meanings.items() if len(by) > 1}
    clashing = {name for name, schemas in shared.items() if len({_text(one) for one in schemas}) > 1}
    # Equal texts still differ where they refer to names that clash.
    while grown := {
        name
        for name, schemas in shared.items()
        if name not in clashing and any(_names_in(one) & clashing for one in schemas)
    }:
        clashing |= grown
    return {
        service: {name: f"{service.capitalize()}{name}" for name in clashing if service in meanings[name]}
        for service in documents
    }


def _renamed(value: JsonValue, renames: Mapping[str, str]) -> JsonValue:
    """The value with each reference to a renamed schema following it."""
    if isinstance(value, list):
        return [_renamed(item, renames) for item in value]
    if isinstance(value, dict):
        return {key: _renamed(item, renames) for key, item in value.items()}
    if isinstance(value, str) and value.startswith(_SCHEMAS):
        name = value.removeprefix(_SCHEMAS)
        return _SCHEMAS + renames.get(name, name)
    return value


def _reachable(schemas: Object, paths: JsonValue) -> Object:
    """The schemas that the paths speak of, directly or through others."""
    found: set[str] = set()
    new = {"Problem"} | _names_in(paths)
    while new := (new & schemas.keys()) - found:
        found |= new
        new = {name for known in new for name in _names_in(schemas[known])}
    return {name: schemas[name] for name in sorted(found)}


def _names_in(value: JsonValue) -> set[str]:
    """The schemas that a part of a document refers to."""
    return set(_each_name(value))


def _each_name(value: JsonValue) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _each_name(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _each_name(item)
    elif isinstance(value, str) and value.startswith(_SCHEMAS):
        yield value.removeprefix(_SCHEMAS)


def _text(schema: JsonValue) -> str:
    return json.dumps(schema, sort_keys=True)


def _own_schemas() -> Object:
    """`Problem` and what it consists of."""
    problem: Object = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
    return as_object(problem.pop("$defs")) | {"Problem": problem}
