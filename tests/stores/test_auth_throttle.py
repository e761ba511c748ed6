"""Signing in that fails too often, on a real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from contracts.identity import Identity
from services.auth.errors import BadCredentials, TooManyAttempts, WrongPassword
from services.auth.throttle import FIRST_LOCK, REMEMBERED, Throttle
from tests.conftest import FreshDatabase
from tests.stores.auth_desk import ADDRESS, EMAIL, NEW_PASSWORD, PASSWORD, WRONG, Desk, open_desk, statements

PER_ACCOUNT, PER_ADDRESS = 3, 5
NOBODY = "nobody@example.com"


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    async with open_desk(fresh_database, Throttle(PER_ACCOUNT, PER_ADDRESS)) as opened:
        await opened.accounts.register(EMAIL, PASSWORD)
        yield opened


async def fail(desk: Desk, times: int, email: str = EMAIL, address: str | None = None) -> None:
    for _ in range(times):
        with pytest.raises(BadCredentials):
            await desk.accounts.authenticate(email, WRONG, address)


async def locked_for(desk: Desk, email: str = EMAIL, address: str | None = None) -> int:
    """For how many seconds the right password is refused too."""
    with pytest.raises(TooManyAttempts) as refused:
        await desk.accounts.authenticate(email, PASSWORD, address)
    assert refused.value.retry_after is not None
    return refused.value.retry_after


async def test_an_account_that_failed_too_often_is_locked_for_the_right_password_too(desk: Desk) -> None:
    await fail(desk, PER_ACCOUNT)
    verified = desk.hasher.verified
    assert await locked_for(desk) == FIRST_LOCK.total_seconds()
    assert desk.hasher.verified == verified


async def test_whoever_waits_as_long_as_told_gets_in(desk: Desk) -> None:
    await fail(desk, PER_ACCOUNT)
    desk.clock.move(timedelta(seconds=await locked_for(desk)))
    await desk.accounts.authenticate(EMAIL, PASSWORD)


async def test_asking_during_a_lock_does_not_prolong_it(desk: Desk) -> None:
    await fail(desk, PER_ACCOUNT)
    assert await locked_for(desk) == await locked_for(desk)


async def test_each_lock_is_longer_than_the_one_before(desk: Desk) -> None:
    await fail(desk, PER_ACCOUNT)
    locks = [await locked_for(desk)]
    for _ in range(3):
        desk.clock.move(timedelta(seconds=locks[-1]))
        await fail(desk, 1)
        locks.append(await locked_for(desk))
    assert locks == [60, 120, 240, 480]


async def test_an_unknown_email_is_locked_like_a_known_one(desk: Desk) -> None:
    answers = []
    for email in (EMAIL, NOBODY, "no address"):
        await fail(desk, PER_ACCOUNT, email)
        answers.append(await locked_for(desk, email))
    assert len(set(answers)) == 1


async def test_a_success_clears_the_account(desk: Desk) -> None:
    for _ in range(3):
        await fail(desk, PER_ACCOUNT - 1)
        await desk.accounts.authenticate(EMAIL, PASSWORD)


async def test_an_address_that_fails_for_many_accounts_is_locked(desk: Desk) -> None:
    for number in range(PER_ADDRESS):
        await fail(desk, 1, f"user{number}@example.com", ADDRESS)
    await locked_for(desk, EMAIL, ADDRESS)
    await desk.accounts.authenticate(EMAIL, PASSWORD, "192.0.2.2")


async def test_a_success_does_not_count_against_its_address_and_clears_nobody_elses(desk: Desk) -> None:
    for number in range(PER_ADDRESS - 1):
        await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
        await fail(desk, 1, f"user{number}@example.com", ADDRESS)
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    await fail(desk, 1, "last@example.com", ADDRESS)
    await locked_for(desk, EMAIL, ADDRESS)


async def test_of_guesses_that_come_at_once_no_more_are_tried_than_one_after_another(desk: Desk) -> None:
    verified = desk.hasher.verified
    answers = await asyncio.gather(
        *(desk.accounts.authenticate(EMAIL, WRONG, ADDRESS) for _ in range(20)), return_exceptions=True
    )
    assert Counter(type(answer) for answer in answers) == {
        BadCredentials: PER_ACCOUNT,
        TooManyAttempts: 20 - PER_ACCOUNT,
    }
    assert desk.hasher.verified - verified == PER_ACCOUNT


async def test_a_known_and_an_unknown_email_cost_the_same(desk: Desk) -> None:
    costs = []
    for email in (EMAIL, NOBODY, "no address"):
        before = desk.hasher.verified
        with statements() as sent:
            await fail(desk, 1, email, ADDRESS)
        costs.append((sent, desk.hasher.verified - before))
    assert costs[0] == costs[1] == costs[2]
    assert costs[0][1] == 1


async def test_guessing_the_password_of_an_open_session_is_locked_too(desk: Desk) -> None:
    [user] = await desk.accounts.users(1)
    caller = Identity(subject=user.id)
    for _ in range(PER_ACCOUNT):
        with pytest.raises(WrongPassword):
            await desk.accounts.change_password(caller, WRONG, NEW_PASSWORD)
    with pytest.raises(TooManyAttempts):
        await desk.accounts.change_password(caller, PASSWORD, NEW_PASSWORD)


async def test_what_is_forgotten_is_dropped(desk: Desk) -> None:
    await fail(desk, PER_ACCOUNT, address=ADDRESS)
    desk.clock.move(FIRST_LOCK + REMEMBERED - timedelta(seconds=1))
    await desk.requests.forget_old()
    assert len(await desk.rows("SELECT key FROM sign_in_attempts")) == 1
    desk.clock.move(timedelta(seconds=1))
    assert await desk.requests.forget_old() == 1


async def test_neither_an_email_nor_an_address_is_stored(desk: Desk) -> None:
    await fail(desk, 1, address=ADDRESS)
    stored = str(await desk.rows("SELECT sign_in_attempts::text, key FROM sign_in_attempts"))
    assert EMAIL not in stored
    assert ADDRESS not in stored


async def test_a_password_of_any_characters_is_only_wrong(desk: Desk) -> None:
    with pytest.raises(BadCredentials):
        await desk.accounts.authenticate("\ud800\0", SecretStr("\ud800\0"), ADDRESS)
