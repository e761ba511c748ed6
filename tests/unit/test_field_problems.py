"""What is wrong with a request is told of places that there are in it, once each, in words about JSON."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import aiohttp
import pytest
from fastapi import FastAPI, Query

from api.auth.views import Register
from api.orders.views import RefundBody
from api.problems import install_problem_handlers
from contracts.products import ProductChanges
from tests.http_server import serving

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[aiohttp.ClientSession]:
    """Bodies of our own shapes are let in or refused."""
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/refund")
    async def refund(body: RefundBody) -> str:
        return body.reason

    @app.post("/register")
    async def register(body: Register) -> str:
        return body.email

    @app.post("/product")
    async def change(body: ProductChanges, limit: Annotated[int, Query(ge=1)] = 1) -> int:
        return limit

    async with serving(app) as url, aiohttp.ClientSession(url) as session:
        yield session


async def problem(
    door: aiohttp.ClientSession, path: str, body: object, headers: dict[str, str] = JSON
) -> Any:
    async with door.post(path, data=json.dumps(body).encode(), headers=headers) as response:
        assert response.status == 422
        return await response.json(content_type=None)


async def places(door: aiohttp.ClientSession, path: str, body: object) -> list[str]:
    return [error["at"] for error in (await problem(door, path, body))["errors"]]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ({"amount": 100}, ["/body/amount/currency"]),
        ({"amount": 0, "currency": "EUR"}, ["/body/amount/amount"]),
        ({"amount": 1, "currency": "EUR", "cents": 1}, ["/body/amount/cents"]),
        ({}, ["/body/amount/amount", "/body/amount/currency"]),
        ("100", ["/body/amount"]),
        ([1], ["/body/amount"]),
        (0, ["/body/amount"]),
        (1.5, ["/body/amount"]),
    ],
)
async def test_a_form_that_something_may_have_is_no_place(
    door: aiohttp.ClientSession, amount: object, expected: list[str]
) -> None:
    assert await places(door, "/refund", {"reason": "no", "amount": amount}) == expected


async def test_what_every_form_says_of_one_place_is_told_there(door: aiohttp.ClientSession) -> None:
    [error] = (await problem(door, "/refund", {"reason": "no", "amount": "100"}))["errors"]
    assert error == {
        "at": "/body/amount",
        "message": "Input should be a valid integer; or: Input should be an object",
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"variants": [{"sku": "A.", "title": "One"}]}, ["/body/variants/0/sku", "/body/variants/0/price"]),
        ({"variants": {}}, ["/body/variants"]),
        ({"title": None}, ["/body"]),
        ({"a/b": 1, "c~d": 1}, ["/body/a~1b", "/body/c~0d"]),
        ([], ["/body"]),
        (None, ["/body"]),
    ],
)
async def test_a_place_is_a_pointer_into_the_body(
    door: aiohttp.ClientSession, body: object, expected: list[str]
) -> None:
    assert await places(door, "/product", body) == expected


async def test_a_place_may_be_outside_of_the_body(door: aiohttp.ClientSession) -> None:
    assert await places(door, "/product?limit=0", {}) == ["/query/limit"]


async def test_a_secret_that_is_too_long_is_told_in_characters(door: aiohttp.ClientSession) -> None:
    body = {"email": "ada@example.com", "password": "x" * 1_001}
    assert (await problem(door, "/register", body))["errors"] == [
        {"at": "/body/password", "message": "String should have at most 1000 characters"}
    ]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json", ""])
async def test_a_body_that_does_not_say_that_it_is_json_is_told_how(
    door: aiohttp.ClientSession, kind: str
) -> None:
    refused = await problem(door, "/refund", {"reason": "no"}, {"content-type": kind})
    assert refused["code"] == "request.invalid"
    assert "Content-Type: application/json" in refused["detail"]
    assert "errors" not in refused
