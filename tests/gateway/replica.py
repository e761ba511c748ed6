"""Processes of ours that a test starts, stops and starts again."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field

import aiohttp

from runtime.settings import PREFIX
from tests.polling import until
from tests.ports import free_port

DEADLINE_SECONDS = 60.0


@dataclass
class Replica:
    """One process of ours on a port of its own, which it keeps when it is started again."""

    module: str
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, session: aiohttp.ClientSession) -> None:
        told = self.environment | {f"{PREFIX}PORT": str(self.port)}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, env=os.environ | told, stdout=asyncio.subprocess.DEVNULL
        )
        await until(lambda: is_ready(session, self.url), within=DEADLINE_SECONDS)

    async def restart(self, session: aiohttp.ClientSession) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(self.process.wait(), DEADLINE_SECONDS) == -signal.SIGTERM
        await self.start(session)

    async def end(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


async def is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
