"""What answers forgotten passwords, and forgets what nobody needs any more."""

import asyncio

from contracts.errors import DomainError
from runtime.logs import get_logger
from services.auth.reset_requests import ResetRequests

log = get_logger(__name__)

ANSWER_EVERY_SECONDS = 1.0
FORGET_EVERY_SECONDS = 3_600.0


class ForgottenPasswords:
    """Answers every request of a new password; several may run at once."""

    def __init__(self, requests: ResetRequests, *, pause: float = ANSWER_EVERY_SECONDS) -> None:
        self._requests = requests
        self._pause = pause

    async def run(self) -> None:
        """Answer again and again, for as long as the worker lives; an outage only delays it."""
        while True:
            try:
                while await self._requests.answer():
                    pass
            except DomainError as error:
                log.warning("answering forgotten passwords is delayed", reason=str(error))
            await asyncio.sleep(self._pause)

    async def forget(self) -> None:
        """Drop once an hour what is old; an outage only delays it."""
        while True:
            await asyncio.sleep(FORGET_EVERY_SECONDS)
            try:
                log.info("links and attempts pruned", rows=await self._requests.forget_old())
            except DomainError as error:
                log.warning("pruning links and attempts is delayed", reason=str(error))
