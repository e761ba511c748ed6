"""What services ask one another: every such route of every service is closed to all but those it names."""

import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.types import Message

from contracts.identity import SERVICE_HEADER
from contracts.topology import SERVICES
from runtime.service_identity import ServiceProof
from runtime.settings import Settings

SECRET = "a secret of the tests"


@cache
def app_of(service: str) -> FastAPI:
    secret = SecretStr(SECRET)
    settings = Settings(
        identity_secret=secret,
        service_secret=secret,
        order_token_secret=secret,
        auth_key_secret=secret,
        psp_webhook_secret=secret,
    )
    app: FastAPI = getattr(import_module(f"api.{service}.app"), f"{service}_app")(settings)
    return app


def internal_routes() -> Iterator[tuple[str, str, str]]:
    """Service, method and path of every route of a router that stands in the service's modules."""
    for service in SERVICES:
        package = import_module(f"api.{service.name}")
        modules = [
            import_module(found.name) for found in iter_modules(package.__path__, f"api.{service.name}.")
        ]
        routers = {
            id(one): one for module in modules for one in vars(module).values() if isinstance(one, APIRouter)
        }
        for route in (route for router in routers.values() for route in router.routes):
            if isinstance(route, APIRoute) and route.path.startswith("/internal"):
                yield from ((service.name, method, route.path) for method in sorted(route.methods or ()))


ROUTES = tuple(internal_routes())


async def asked(service: str, method: str, path: str, proof: str | None) -> tuple[int, str]:
    """How the application answers while nothing behind it has been opened."""
    sent: list[Any] = []
    headers = [(b"content-type", b"application/json")]
    if proof is not None:
        headers.append((SERVICE_HEADER.encode(), proof.encode()))
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app_of(service)(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message["body"] for message in sent[1:]))["code"]


def test_there_are_such_routes() -> None:
    assert {service for service, _, _ in ROUTES} == {"auth", "carts", "inventory", "orders", "products"}


@pytest.mark.parametrize(("service", "method", "path"), ROUTES)
async def test_it_is_closed_to_whoever_proves_nothing(service: str, method: str, path: str) -> None:
    for_another = ServiceProof(SECRET, "gateway").for_listener("nobody")
    forged = ServiceProof("a guess", "gateway").for_listener(service)
    answers = [await asked(service, method, path, proof) for proof in (None, "", for_another, forged)]
    assert answers == [(401, "auth.service_invalid")] * 4


@pytest.mark.parametrize(("service", "method", "path"), ROUTES)
async def test_it_is_closed_to_a_process_of_ours_that_it_does_not_name(
    service: str, method: str, path: str
) -> None:
    stranger = ServiceProof(SECRET, "somebody").for_listener(service)
    assert await asked(service, method, path, stranger) == (403, "auth.service_not_allowed")
