"""Cancellation that nothing loses.

Before Python 3.12 `asyncio.wait_for` loses one that meets what it waits for: it answers with that instead.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Around the calls of a client that uses `wait_for`: a cancellation that it lost counts after all."""
    before = _delivered()
    try:
        yield
    finally:
        if _delivered() > before:
            raise asyncio.CancelledError


def _delivered() -> int:
    """How often this task was cancelled, without what it will only learn of when it waits next."""
    task = asyncio.current_task()
    if task is None:
        return 0
    # Nothing public tells of what waits to be delivered, such as an interrupt that met running code.
    return task.cancelling() - bool(getattr(task, "_must_cancel", False))


async def until_set(event: asyncio.Event, *, within: float) -> None:
    """Return when the event is set, after so many seconds at the latest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await event.wait()
