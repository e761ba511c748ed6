"""The platform's own document, read as the list of what can be called."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.e2e.shop import Shop

Schema = dict[str, Any]

_PARAMETER = re.compile(r"{[^}]*}")


def shape_of(path: str) -> str:
    """A path without the names of its parameters; `mine` is one of a cart's names."""
    return _PARAMETER.sub("{}", path.replace("/carts/mine", "/carts/{}"))


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    definition: dict[str, Any]
    schemas: dict[str, Schema]

    @property
    def shape(self) -> str:
        return f"{self.method} {shape_of(self.path)}"

    @property
    def is_for_everybody(self) -> bool:
        return {} in self.definition["security"]

    @property
    def ids(self) -> set[str]:
        """What in the path, the query or the body may name a thing that is somebody's."""
        parameters = self.definition.get("parameters", [])
        named = {one["name"] for one in parameters if one["in"] == "path"}
        named |= {one["name"] for one in parameters if one["in"] == "query" and _is_id(one["name"])}
        return named | {name for name in map(_last, self.body()) if _is_id(name)}

    def body(self) -> dict[str, list[Schema]]:
        """The schemas of what a request's body may consist of, by where they stand in it."""
        return self._parts(self.definition.get("requestBody", {}))

    def answers(self) -> dict[str, list[Schema]]:
        """The same of every answer that is no problem."""
        found: dict[str, list[Schema]] = {}
        for status, response in self.definition["responses"].items():
            if status != "default":
                for at, schemas in self._parts(response).items():
                    found.setdefault(at, []).extend(schemas)
        return found

    def query(self, name: str) -> Schema | None:
        """The schema of one parameter of the query."""
        for one in self.definition.get("parameters", []):
            if one["in"] == "query" and one["name"] == name:
                schema: Schema = one["schema"]
                return schema
        return None

    def _parts(self, message: dict[str, Any]) -> dict[str, list[Schema]]:
        found: dict[str, list[Schema]] = {}
        schema = message.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            for at, part in _each(schema, self.schemas, ""):
                found.setdefault(at, []).append(part)
        return found


def _each(schema: Schema, schemas: dict[str, Schema], at: str) -> Iterator[tuple[str, Schema]]:
    """The schema and all that are inside it, each with its place: `items[].sku`."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    yield at, schema
    for name, field in schema.get("properties", {}).items():
        yield from _each(field, schemas, f"{at}.{name}" if at else name)
    for alternative in (*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("oneOf", ())):
        yield from _each(alternative, schemas, at)
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from _each(inner, schemas, f"{at}[]")


def _last(place: str) -> str:
    return place.rpartition(".")[2]


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


async def operations_of(shop: Shop) -> list[Operation]:
    """Everything that GET /openapi.json describes."""
    document = (await shop.guest.get("/openapi.json")).body
    assert "x-unavailable" not in document
    return [
        Operation(method.upper(), path, definition, document["components"]["schemas"])
        for path, item in document["paths"].items()
        for method, definition in item.items()
    ]
