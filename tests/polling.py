"""Waiting for a condition, with a deadline instead of a guess."""

import asyncio
from collections.abc import Awaitable, Callable

# What was in the hands of a killed worker is taken up after 30 s, here and there after more than one wait.
DEADLINE_SECONDS = 120.0


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = DEADLINE_SECONDS) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110 - what is awaited happens in another process
            await asyncio.sleep(0.02)
