"""What answers forgotten passwords, and forgets what nobody needs any more."""

from runtime.logs import get_logger
from services.auth.reset_requests import ResetRequests
from workers.rounds import again_and_again

log = get_logger(__name__)

ANSWER_EVERY_SECONDS = 1.0
FORGET_EVERY_SECONDS = 3_600.0


class ForgottenPasswords:
    """Answers every request of a new password; several may run at once."""

    def __init__(
        self,
        requests: ResetRequests,
        *,
        answer_every: float = ANSWER_EVERY_SECONDS,
        forget_every: float = FORGET_EVERY_SECONDS,
    ) -> None:
        self._requests = requests
        self._answer_every = answer_every
        self._forget_every = forget_every

    async def run(self) -> None:
        """Answer again and again, as soon as somebody asks."""
        await again_and_again("answering forgotten passwords", self._answer_all, self._answer_every)

    async def forget(self) -> None:
        """Drop what is old, again and again."""
        await again_and_again("pruning links and attempts", self._forget_once, self._forget_every)

    async def _answer_all(self) -> None:
        while await self._requests.answer():
            pass

    async def _forget_once(self) -> None:
        log.info("links and attempts pruned", rows=await self._requests.forget_old())
