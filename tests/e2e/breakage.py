"""Breaking the shared platform for a while; whoever breaks it leaves it ready."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.platform_process import Platform


@asynccontextmanager
async def frozen(platform: Platform, name: str) -> AsyncIterator[None]:
    """A process lives and does not answer, until the block ends and all is ready again."""
    platform.stop(name)
    try:
        yield
    finally:
        platform.cont(name)
        await ready(platform)


async def ready(platform: Platform) -> None:
    """Wait until every process answers, while the tests' own requests go on."""
    await asyncio.to_thread(platform.wait_ready)
