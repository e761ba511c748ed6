"""The gateway's own answers, and its process."""

import asyncio
import json
import os
import signal
import sys
from typing import Any

import aiohttp
from starlette.types import Receive, Scope, Send

from contracts.topology import SERVICES
from runtime.settings import PREFIX
from tests.gateway.stand import (
    NOBODY,
    NOWHERE,
    SECRET,
    Upstream,
    gateway_before,
    settings,
)
from tests.gateway_peers import answer
from tests.polling import until
from tests.ports import free_port


async def test_the_documents_tell_of_every_service_that_answers(
    upstream: Upstream, upstream_url: str
) -> None:
    document = {"paths": {"/v1/products": {"get": {"tags": ["products"], "responses": {}}}}}

    async def describes(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, json.dumps(document).encode())

    upstream.handle = describes
    async with gateway_before(settings(upstream_url, carts_url=NOBODY)) as client:
        async with client.get("/openapi.json") as response:
            merged: Any = await response.json()
        async with client.get("/docs") as response:
            assert "/v1/products" in await response.text()
    assert merged["paths"].keys() == {"/v1/products"}
    assert merged["x-unavailable"] == ["carts"]


async def test_what_the_services_say_is_told_whether_they_answer_or_not() -> None:
    async with gateway_before(settings(NOBODY)) as client, client.get("/asyncapi.json") as response:
        document = await response.json()
    assert document["channels"]["orders"]["address"] == "events:orders:{shard}"


async def test_requests_are_counted_by_the_pattern_of_their_route(client: aiohttp.ClientSession) -> None:
    async with client.get("/v1/products/some-slug") as response:
        assert response.status == 200
    async with client.get("/metrics") as response:
        text = await response.text()
    labels = 'method="GET",route="/v1/products/{id}",status="200",upstream="products"'
    assert f"micromart_gateway_requests_total{{{labels}}}" in text
    assert "some-slug" not in text


async def test_the_process_serves_and_ends(upstream: Upstream, upstream_url: str) -> None:
    port = free_port()
    urls = {f"{PREFIX}{service.name.upper()}_URL": upstream_url for service in SERVICES}
    secrets = {f"{PREFIX}{name}_SECRET": SECRET for name in ("IDENTITY", "SERVICE", "COOKIE")}
    ours = secrets | {
        f"{PREFIX}PORT": str(port),
        f"{PREFIX}PUBLIC_URL": "https://shop.example",
        f"{PREFIX}BUS_REDIS_URL": NOWHERE,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.gateway", env=os.environ | urls | ours, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    async with client.get("/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            await until(ready)
            headers = {"x-request-id": "mine-1", "x-forwarded-for": "198.51.100.1"}
            async with client.get("/v1/products/moka", headers=headers) as response:
                assert response.headers["x-request-id"] == "mine-1"
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert upstream.headers()["x-forwarded-for"] == "127.0.0.1"
    line = next(json.loads(line) for line in output.splitlines() if b'"mine-1"' in line)
    assert (line["route"], line["upstream"], line["status"]) == ("/v1/products/{id}", "products", 200)
    assert upstream.headers()["traceparent"].split("-")[1] == line["trace_id"]
