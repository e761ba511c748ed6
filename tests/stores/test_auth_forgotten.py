"""What the auth worker does about forgotten passwords, and what it forgets itself, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from contracts.auth import PASSWORD_RESET_REQUESTED
from contracts.identity import Identity
from services.auth.account_changes import LinkLifetimes
from services.auth.errors import BadCredentials, TooManyAttempts
from services.auth.reset_requests import LINKS_KEPT, ResetRequests
from services.auth.store import AuthStore, User
from services.auth.throttle import Throttle
from tests.conftest import FreshDatabase
from tests.polling import until
from tests.stores.auth_desk import EMAIL, PASSWORD, WRONG, Desk, open_desk
from tests.stores.auth_worker import SOON, execute, running
from workers.auth_mail import ForgottenPasswords

SECOND = timedelta(seconds=1)
NOBODY = "nobody@example.com"
# Then all that is known of an attempt, a request or a link of a reset now is too old.
LONG = LinkLifetimes().reset + LINKS_KEPT + SECOND
PER_ACCOUNT = 3
# Each with the time that it is old by.
TABLES = {"reset_requests": "requested_at", "mailed_links": "expires_at", "sign_in_attempts": "forgotten_at"}


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    async with open_desk(fresh_database, Throttle(PER_ACCOUNT)) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def ada(desk: Desk) -> User:
    return await desk.accounts.register(EMAIL, PASSWORD)


class FailsAtFirst(ResetRequests):
    failed = False

    async def answer(self) -> int:
        self._fail_once()
        return await super().answer()

    async def forget_old(self) -> int:
        self._fail_once()
        return await super().forget_old()

    def _fail_once(self) -> None:
        if not self.failed:
            self.failed = True
            raise RuntimeError("the first round fails")


@pytest.fixture
def failing(desk: Desk) -> FailsAtFirst:
    return FailsAtFirst(AuthStore(desk.database), desk.clock)


def worker(requests: ResetRequests) -> ForgottenPasswords:
    return ForgottenPasswords(requests, answer_every=SOON, forget_every=SOON)


async def fail(desk: Desk, email: str, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(BadCredentials):
            await desk.accounts.authenticate(email, WRONG)


async def left(desk: Desk) -> tuple[int, int, int]:
    """How many requests, links and counts of attempts there are."""
    requests, links, attempts = [len(await desk.rows(f"SELECT 1 FROM {table}")) for table in TABLES]
    return requests, links, attempts


async def leave(desk: Desk, user: User, rows: int) -> None:
    """So many answered requests, expired links and attempts that failed, all of them long ago."""
    ago, numbers = desk.clock() - LONG, f"generate_series(1, {rows}) AS n"
    for statement in (
        f"INSERT INTO reset_requests SELECT n || '@example.com', '{ago}', '{ago}' FROM {numbers}",
        "INSERT INTO mailed_links (mail_id, user_id, purpose, created_at, expires_at)"
        f" SELECT n, '{user.id}', 'reset_password', '{ago}', '{ago}' FROM {numbers}",
        "INSERT INTO sign_in_attempts (key, failures, forgotten_at)"
        f" SELECT sha256(n::text::bytea), 1, '{ago}' FROM {numbers}",
    ):
        await execute(desk.database, statement)


async def test_a_request_is_answered_by_itself(desk: Desk) -> None:
    await desk.requests.note(EMAIL)

    async def is_mailed() -> bool:
        return len(await desk.mailed(PASSWORD_RESET_REQUESTED)) == 1

    async with running(worker(desk.requests).run):
        await until(is_mailed)


async def test_a_round_that_fails_does_not_end_the_answering(desk: Desk, failing: FailsAtFirst) -> None:
    await desk.requests.note(EMAIL)

    async def is_mailed() -> bool:
        return len(await desk.mailed(PASSWORD_RESET_REQUESTED)) == 1

    async with running(worker(failing).run):
        await until(is_mailed)
    assert failing.failed


async def test_what_is_old_is_forgotten_and_what_is_not_stays(desk: Desk, ada: User) -> None:
    await desk.reset_token()
    await fail(desk, NOBODY)
    await desk.requests.note(NOBODY)
    desk.clock.move(LONG)
    await desk.links.send_verification(Identity(subject=ada.id))
    await fail(desk, EMAIL, PER_ACCOUNT)

    async def is_forgotten() -> bool:
        # The first link that verifies the address expired later than the one that resets the password.
        return await left(desk) == (1, 2, 2)

    async with running(worker(desk.requests).forget):
        await until(is_forgotten)
    with pytest.raises(TooManyAttempts):
        await desk.accounts.authenticate(EMAIL, PASSWORD)
    await desk.links.verify(await desk.verification_token())
    assert await desk.requests.answer() == 1


async def test_a_round_that_fails_does_not_end_the_forgetting(desk: Desk, failing: FailsAtFirst) -> None:
    await fail(desk, NOBODY)
    desk.clock.move(LONG)

    async def is_forgotten() -> bool:
        return await left(desk) == (0, 1, 0)

    async with running(worker(failing).forget):
        await until(is_forgotten)
    assert failing.failed


async def test_workers_that_forget_at_once_share_the_work(desk: Desk, ada: User) -> None:
    await leave(desk, ada, rows=500)
    forgotten = await asyncio.gather(*(desk.requests.forget_old() for _ in range(4)))
    assert sum(forgotten) == 1_500
    assert await left(desk) == (0, 1, 0)


async def test_forgetting_waits_for_nobody(desk: Desk, ada: User) -> None:
    """An attempt locks the keys of its account and its address: whoever held one could wait for the other."""
    await leave(desk, ada, rows=2)
    async with desk.database.begin() as connection:
        for table, time in TABLES.items():
            await connection.execute(text(f"SELECT 1 FROM {table} ORDER BY {time} LIMIT 1 FOR UPDATE"))
        assert await desk.requests.forget_old() == 3
    assert await desk.requests.forget_old() == 3
