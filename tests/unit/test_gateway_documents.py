"""The platform's document is written once, not for each reader."""

import json

import aiohttp

from api.gateway.asyncapi import asyncapi_json
from api.gateway.documents import FRESH_SECONDS, Documents
from api.gateway.routes import ROUTES


async def test_the_document_is_written_anew_only_when_it_is_made_anew() -> None:
    now = 0.0
    async with aiohttp.ClientSession() as session:
        documents = Documents(session, {}, ROUTES, now=lambda: now)
        first = await documents.merged()
        assert json.loads(first.openapi)["paths"] == {}
        assert first.page.startswith(b"<!doctype html>")
        now = FRESH_SECONDS - 0.01
        assert await documents.merged() is first
        now = FRESH_SECONDS
        assert await documents.merged() is not first


def test_what_the_services_say_is_written_once() -> None:
    assert asyncapi_json() is asyncapi_json()
