"""OWASP API9:2023. What is served is documented, what is documented is served, nothing else is there."""

import asyncio
from typing import Any

import pytest

from api.gateway.routes import ROUTES
from contracts.identity import Role
from contracts.topology import SERVICES
from tests.e2e.operations import Operation, operations_of, shape_of
from tests.e2e.people import user
from tests.e2e.shop import Shop

NOT_THERE = (404, "gateway.no_such_route")
# The gateway's own: they say what there is, and whether it works.
OWN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs"}


@pytest.fixture(scope="module")
async def operations(shop: Shop) -> list[Operation]:
    return await operations_of(shop)


async def test_every_documented_operation_is_served(shop: Shop, operations: list[Operation]) -> None:
    """Where a service does not know a route of the table, it says so with a code of its own."""
    admin = await user(shop, Role.ADMIN)
    missing = []
    for operation in operations:
        if operation.method in ("GET", "PUT", "PATCH"):
            path = operation.path.replace("{sku}", "NOBODYS").replace("{", "").replace("}", "")
            answer = await admin.call(operation.method, path, None if operation.method == "GET" else {})
            code = answer.problem[1] if answer.status >= 400 else ""
            if code in ("request.no_such_route", "gateway.no_such_route", "request.refused_405"):
                missing.append(operation.shape)
    assert missing == []


async def test_no_service_has_a_route_that_the_table_forgot(shop: Shop) -> None:
    """A route that nobody knows of is the one that nobody looks after."""
    reachable = {f"{route.method} {shape_of(route.path)}" for route in ROUTES}
    served: dict[str, set[str]] = {}
    for service in SERVICES:
        async with shop.session.get(f"{shop.settings.url_of(service.name)}/openapi.json") as response:
            document: Any = await response.json()
        served[service.name] = {
            f"{method.upper()} {shape_of(path)}"
            for path, item in document["paths"].items()
            for method in item
        }
    assert set().union(*served.values()) == reachable


async def test_there_is_one_version_and_no_other_door(shop: Shop, operations: list[Operation]) -> None:
    assert {operation.path.split("/")[1] for operation in operations} == {"v1", ".well-known"}
    for path in sorted({operation.path for operation in operations if operation.path.startswith("/v1/")}):
        rest = path.removeprefix("/v1").replace("{", "").replace("}", "")
        for version in ("/v0", "/v2", "/v1beta", "/V1", "/api/v1", ""):
            assert (await shop.staff.get(version + rest)).problem == NOT_THERE


@pytest.mark.parametrize(
    "path",
    [
        "/", "/redoc", "/swagger", "/swagger-ui", "/swagger.json", "/api-docs", "/openapi.yaml", "/graphql",
        "/docs/oauth2-redirect", "/v1", "/v1/", "/v1/openapi.json", "/v1/docs", "/v1/admin", "/v1/users",
        "/v1/admin/users", "/v1/debug", "/actuator", "/actuator/env", "/console", "/server-status", "/test",
    ],
)  # fmt: skip
async def test_what_others_leave_lying_around_is_not_there(shop: Shop, path: str) -> None:
    assert (await shop.staff.get(path)).problem == NOT_THERE


async def test_the_gateways_own_paths_are_for_reading(shop: Shop) -> None:
    for path in OWN:
        assert (await shop.guest.get(path)).status == 200
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert (await shop.guest.call(method, path)).problem == (405, "gateway.method_not_allowed")


async def test_a_method_that_is_not_documented_is_not_served(shop: Shop, operations: list[Operation]) -> None:
    allowed: dict[str, set[str]] = {}
    for route in ROUTES:
        allowed.setdefault(shape_of(route.path), set()).add(route.method)

    async def others(path: str) -> set[tuple[int, str]]:
        filled = path.replace("{", "").replace("}", "")
        methods = {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed[shape_of(path)]
        return {(await shop.staff.call(method, filled)).problem for method in methods}

    paths = {operation.path for operation in operations} - {"/v1/carts/mine/merge"}
    found = await asyncio.gather(*map(others, paths))
    assert set().union(*found) == {(405, "gateway.method_not_allowed")}


async def test_the_document_can_be_kept_an_inventory_by(operations: list[Operation]) -> None:
    """Each operation has a name of its own, says what it does, and none is left over from before."""
    names = [operation.definition["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert [one.shape for one in operations if not one.definition.get("description")] == []
    assert [one.shape for one in operations if one.definition.get("deprecated")] == []
    assert [one.shape for one in operations if not one.definition.get("tags")] == []
