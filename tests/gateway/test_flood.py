"""Whoever floods the gateway with what it refuses waits for the refusals; a good request does not wait."""

import asyncio

import aiohttp

from api.gateway.app import Gateway
from api.gateway.connection import EdgeProtocol
from api.gateway.tarpit import AT_ONCE, Tarpit
from tests.gateway.stand import problem_of, raw_answer, settings
from tests.http_server import serving
from tests.polling import until

HELD = 50


class Flooded(EdgeProtocol):
    """A connection from where too much has been refused already, for as long as the test takes."""

    tarpit = Tarpit(now=lambda: 0.0)


async def refused(client: aiohttp.ClientSession) -> tuple[int, str]:
    async with client.get("/v2/nothing") as response:
        return await problem_of(response)


async def test_what_cannot_be_done_is_told_later_to_a_flooder(client: aiohttp.ClientSession) -> None:
    async def some_wait() -> bool:
        """Unless this machine slept for as long as they do."""
        flood = [asyncio.create_task(refused(client)) for _ in range(AT_ONCE + HELD)]

        async def burst_is_over() -> bool:
            return sum(request.done() for request in flood) >= AT_ONCE

        await until(burst_is_over)
        async with client.get("/v1/products") as response:
            assert response.status == 200
        have_waited = not all(request.done() for request in flood)
        assert set(await asyncio.gather(*flood)) == {(404, "gateway.no_such_route")}
        return have_waited

    await until(some_wait)


async def test_what_cannot_be_read_is_told_later_to_a_flooder(upstream_url: str) -> None:
    while not Flooded.tarpit.hold("127.0.0.1"):
        pass
    async with (
        serving(Gateway(settings(upstream_url)), protocol=Flooded) as url,
        aiohttp.ClientSession(url) as client,
    ):

        async def waits() -> bool:
            """Unless this machine slept for as long as it does."""
            unread = asyncio.create_task(raw_answer(client, b"no HTTP at all\r\n\r\n"))
            async with client.get("/v1/products") as response:
                assert response.status == 200
            has_waited = not unread.done()
            assert (await unread).startswith(b"HTTP/1.1 400 ")
            return has_waited

        await until(waits)
