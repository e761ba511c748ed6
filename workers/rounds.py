"""What a worker does again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio.service import RPCError

from contracts.errors import DomainError
from runtime.logs import get_logger

log = get_logger(__name__)


async def again_and_again(doing: str, act: Callable[[], Awaitable[object]], pause: float) -> None:
    """Act, pause and act again, for as long as the worker lives; whatever ends one round only delays it."""
    while True:
        try:
            await act()
        except (DomainError, RPCError) as error:
            log.warning(f"{doing} is delayed", reason=str(error)[:200])
        except Exception as error:
            # What is wrong with one table must not end the worker, and with it the relay of all events.
            log.error("bug", doing=doing, exc_info=error)
        await asyncio.sleep(pause)
