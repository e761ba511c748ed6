"""Forgotten passwords: asked for by anybody, answered by a worker, so that asking tells nobody anything."""

from datetime import timedelta

from runtime.clock import Clock, utc_now
from services.auth import rules
from services.auth.account_changes import MAILED_EVERY, LinkLifetimes, request_link
from services.auth.store import AuthStore
from services.auth.tables import Purpose

ANSWERED_AT_ONCE = 100
# Answered requests hold addresses of people who may have no account: they bound the next mail, then go.
REQUESTS_KEPT = timedelta(hours=1)
LINKS_KEPT = timedelta(days=30)


class ResetRequests:
    """Who says that they forgot their password; whether they have an account is not looked up by asking."""

    def __init__(
        self,
        store: AuthStore,
        clock: Clock = utc_now,
        *,
        lifetimes: LinkLifetimes = LinkLifetimes(),  # noqa: B008 - it is frozen
    ) -> None:
        self._store = store
        self._clock = clock
        self._lifetimes = lifetimes

    async def note(self, email: str) -> None:
        """Note that somebody forgot the password of this address; safe to repeat, one mail every while."""
        address = rules.normalised_email(email)
        if address is None:
            return
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.mail.request_reset(address, now, now - MAILED_EVERY)

    async def answer(self) -> int:
        """Have links mailed to those who asked and have an account; answers how many asked.

        Several may run at once: each request is answered by one of them.
        """
        async with self._store.begin() as tx:
            now = self._clock()
            asked = await tx.mail.take_reset_requests(now, ANSWERED_AT_ONCE)
            for email in asked:
                if (known := await tx.credentials(email)) is not None:
                    await request_link(tx, known.user, Purpose.RESET_PASSWORD, self._lifetimes, now)
        return len(asked)

    async def forget_old(self) -> int:
        """Drop old requests, links and failed attempts to sign in; answers how many. Safe to repeat."""
        async with self._store.begin() as tx:
            now = self._clock()
            return await tx.mail.forget(now - REQUESTS_KEPT, now - LINKS_KEPT) + await tx.attempts.forget(now)
