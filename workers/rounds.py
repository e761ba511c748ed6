"""What a worker does again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio.service import RPCError

from contracts.errors import DomainError, Unavailable
from runtime.logs import get_logger

log = get_logger(__name__)

OUTAGE = 10


async def again_and_again(doing: str, act: Callable[[], Awaitable[object]], pause: float) -> None:
    """Act, pause and act again, for as long as the worker lives; whatever ends one round only delays it."""
    while True:
        try:
            await act()
        except Exception as error:
            # What is wrong with one table must not end the worker, and with it the relay of all events.
            _tell(doing, error)
        await asyncio.sleep(pause)


class Round:
    """One round through many orders: what is wrong with one of them does not keep the others waiting.

    What is wrong with all of them, such as an outage, ends it early.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._served = self._failed = self._failed_in_a_row = 0

    async def serve(self, order_id: str, work: Awaitable[object]) -> None:
        """See to one of them; what goes wrong is logged, and counts at the end.

        Raises Unavailable where so many in a row went wrong that it is not about them.
        """
        try:
            await work
        except Exception as error:
            self._failed += 1
            self._failed_in_a_row += 1
            _tell(self._doing, error, order_id=order_id)
            if self._failed_in_a_row == OUTAGE:
                raise Unavailable(f"{OUTAGE} in a row could not be served") from error
        else:
            self._served += 1
            self._failed_in_a_row = 0

    def end(self) -> int:
        """How many were served; Unavailable where that were not all."""
        if self._failed:
            raise Unavailable(f"{self._failed} could not be served, {self._served} were")
        return self._served


def _tell(doing: str, error: Exception, **whose: str) -> None:
    if isinstance(error, (DomainError, RPCError)):
        log.warning(f"{doing} is delayed", reason=str(error)[:200], **whose)
    else:
        log.error("bug", doing=doing, exc_info=error, **whose)
