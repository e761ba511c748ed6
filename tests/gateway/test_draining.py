"""A process that is told to stop, while requests come and run."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from contracts.identity import DRAINING_HEADER
from runtime.settings import PREFIX
from tests.polling import until
from tests.ports import free_port

DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Process:
    running: asyncio.subprocess.Process
    client: aiohttp.ClientSession

    async def answers(self, path: str = "/readyz") -> int:
        """The status; 0 where nobody listens."""
        try:
            async with self.client.get(path) as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return 0

    async def held(self) -> asyncio.Task[int]:
        """A request that has been taken and is not answered yet."""
        request = asyncio.create_task(self.answers("/held"))
        assert self.running.stdout is not None
        assert await self.running.stdout.readline() == b"held\n"
        return request

    async def ended(self) -> None:
        await asyncio.wait_for(self.running.wait(), DEADLINE_SECONDS)


@asynccontextmanager
async def process(drain_seconds: float) -> AsyncIterator[Process]:
    port = free_port()
    told = {f"{PREFIX}PORT": str(port), f"{PREFIX}DRAIN_SECONDS": str(drain_seconds)}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.draining_process",
        env=os.environ | told,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            started = Process(running, client)

            async def is_up() -> bool:
                return await started.answers() == 200

            await until(is_up)
            yield started
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def test_it_serves_on_while_others_are_told_to_go_elsewhere() -> None:
    async with process(drain_seconds=60.0) as ours:
        held = await ours.held()
        async with ours.client.get("/") as response:
            assert "connection" not in response.headers
            assert DRAINING_HEADER not in response.headers
        ours.running.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return await ours.answers() == 503

        await until(is_draining)
        async with ours.client.get("/readyz") as response:
            assert (await response.json(content_type="application/problem+json"))["code"] == "draining"
        async with ours.client.get("/release") as response:
            assert response.status == 200
            assert response.headers["connection"] == "close"
            assert response.headers[DRAINING_HEADER] == "1"
        assert await held == 200


async def test_it_ends_when_the_time_for_that_is_over() -> None:
    async with process(drain_seconds=0.3) as ours:
        ours.running.send_signal(signal.SIGTERM)
        await ours.ended()
        assert await ours.answers() == 0


async def test_without_such_a_time_nobody_is_let_in_any_more() -> None:
    async with process(drain_seconds=0.0) as ours:
        held = await ours.held()
        ours.running.send_signal(signal.SIGTERM)

        async def is_closed() -> bool:
            return await ours.answers() == 0

        await until(is_closed)
        assert not held.done()
        held.cancel()


@pytest.mark.parametrize("drain_seconds", [0.0, 60.0])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(drain_seconds: float, second: signal.Signals) -> None:
    async with process(drain_seconds) as ours:
        held = await ours.held()
        ours.running.send_signal(signal.SIGTERM)

        async def has_heard() -> bool:
            return await ours.answers() in (0, 503)

        await until(has_heard)
        ours.running.send_signal(second)
        assert await held == 0
        await ours.ended()
