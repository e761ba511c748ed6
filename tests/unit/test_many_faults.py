"""Of a request with very many faults the first are told, in an answer that is not long."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from api.auth.views import Refresh
from api.problems import LONGEST_PLACE, MOST_PROBLEMS, install_problem_handlers
from tests.http_server import serving

# What such an answer has beside its list.
MOST_BYTES = MOST_PROBLEMS * (LONGEST_PLACE + 200)


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[aiohttp.ClientSession]:
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/")
    async def refresh(body: Refresh) -> None: ...

    async with serving(app) as url, aiohttp.ClientSession(url) as session:
        yield session


async def errors(door: aiohttp.ClientSession, body: object) -> list[dict[str, Any]]:
    async with door.post("/", json=body) as response:
        assert response.status == 422
        raw = await response.read()
    assert len(raw) < MOST_BYTES
    found: list[dict[str, Any]] = json.loads(raw)["errors"]
    return found


async def test_the_first_of_very_many_faults_are_told(door: aiohttp.ClientSession) -> None:
    found = await errors(door, {f"unknown-{number}": 1 for number in range(2_000)})
    assert [error["at"] for error in found[:2]] == ["/body/refresh_token", "/body/unknown-0"]
    assert len(found) == MOST_PROBLEMS


async def test_a_place_is_not_told_at_any_length(door: aiohttp.ClientSession) -> None:
    found = await errors(door, {"refresh_token": "x", "u" * 50_000: 1})
    assert [error["at"] for error in found] == [f"{'/body/'.ljust(LONGEST_PLACE, 'u')}..."]
