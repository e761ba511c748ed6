"""Signing in that fails too often, on a real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from contracts.identity import Identity
from services.auth.errors import BadCredentials, TooManyAttempts, WrongPassword
from services.auth.store import User
from services.auth.throttle import DAY, FIRST_LOCK, KNOWN_FOR, REMEMBERED, WINDOW, Throttle
from tests.conftest import FreshDatabase
from tests.stores.auth_desk import (
    ADDRESS,
    EMAIL,
    NEW_PASSWORD,
    PASSWORD,
    START,
    WRONG,
    Desk,
    open_desk,
    statements,
)

PER_ACCOUNT, PER_ADDRESS, PER_DAY = 3, 5, 7
NOBODY = "nobody@example.com"
STRANGERS = [f"198.51.100.{number}" for number in range(1, 50)]


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    async with open_desk(fresh_database, Throttle(PER_ACCOUNT, PER_ADDRESS, PER_DAY)) as opened:
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


async def test_strangers_do_not_lock_an_account_where_its_owner_signs_in(desk: Desk) -> None:
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    for stranger in STRANGERS[:PER_ACCOUNT]:
        await fail(desk, 1, EMAIL, stranger)
    await locked_for(desk, EMAIL, STRANGERS[-1])
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)


async def test_an_owner_who_signs_in_does_not_let_strangers_begin_anew(desk: Desk) -> None:
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    for stranger in STRANGERS[:PER_ACCOUNT]:
        await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
        await fail(desk, 1, EMAIL, stranger)
    await locked_for(desk, EMAIL, STRANGERS[-1])


async def test_a_known_address_is_locked_by_itself(desk: Desk) -> None:
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    await fail(desk, PER_ACCOUNT, EMAIL, ADDRESS)
    await locked_for(desk, EMAIL, ADDRESS)
    await desk.accounts.authenticate(EMAIL, PASSWORD, STRANGERS[0])


async def test_an_address_is_known_to_the_account_alone_that_it_signed_in_to(desk: Desk) -> None:
    await desk.accounts.register("eve@example.com", PASSWORD)
    await desk.accounts.authenticate("eve@example.com", PASSWORD, ADDRESS)
    await fail(desk, PER_ACCOUNT)
    await locked_for(desk, EMAIL, ADDRESS)


async def test_an_address_is_a_strangers_again_when_nobody_came_from_it_for_long(desk: Desk) -> None:
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    desk.clock.move(KNOWN_FOR)
    await fail(desk, PER_ACCOUNT)
    await locked_for(desk, EMAIL, ADDRESS)


async def test_whoever_is_patient_has_so_many_guesses_a_day(desk: Desk) -> None:
    """Never enough in a quarter of an hour for the lock of that."""
    for stranger in STRANGERS[:PER_DAY]:
        await fail(desk, 1, EMAIL, stranger)
        desk.clock.move(WINDOW)
    assert await locked_for(desk) == (DAY - PER_DAY * WINDOW).total_seconds()
    desk.clock.move(DAY - PER_DAY * WINDOW)
    await desk.accounts.authenticate(EMAIL, PASSWORD)


async def test_signing_in_from_anywhere_gives_nobody_more_guesses_a_day(desk: Desk) -> None:
    for number in range(PER_DAY - 1):
        await fail(desk, 1, EMAIL, STRANGERS[number])
        await desk.accounts.authenticate(EMAIL, PASSWORD)
        desk.clock.move(WINDOW)
    await fail(desk, 1)
    await locked_for(desk)


async def test_a_reset_lifts_every_lock_and_lets_its_address_in(desk: Desk) -> None:
    for stranger in STRANGERS[:PER_DAY]:
        await fail(desk, 1, EMAIL, stranger)
        desk.clock.move(WINDOW)
    await desk.links.reset(await desk.reset_token(), NEW_PASSWORD, ADDRESS)
    await fail(desk, PER_ACCOUNT)
    await desk.accounts.authenticate(EMAIL, NEW_PASSWORD, ADDRESS)


async def test_successes_and_failures_that_share_keys_do_not_wait_in_a_circle(
    fresh_database: FreshDatabase,
) -> None:
    emails = [f"user{number}@example.com" for number in range(6)]
    async with open_desk(fresh_database, Throttle(1_000, 1_000, 1_000)) as desk:
        for email in emails:
            await desk.accounts.register(email, PASSWORD)
        answers = await asyncio.gather(
            *(
                desk.accounts.authenticate(email, password, ADDRESS)
                for email in emails
                for password in [PASSWORD, WRONG] * 4
            ),
            return_exceptions=True,
        )
    assert {type(answer) for answer in answers} == {User, BadCredentials}


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
    """The address's count after a quarter of an hour, the account's when it was quiet, the day's with it."""
    await fail(desk, PER_ACCOUNT, address=ADDRESS)
    left, second = [], timedelta(seconds=1)
    for moment in (WINDOW, FIRST_LOCK + REMEMBERED, DAY):
        for now in (moment - second, moment):
            desk.clock.move(START + now - desk.clock())
            await desk.requests.forget_old()
            left.append(len(await desk.rows("SELECT key FROM sign_in_attempts")))
    assert left == [3, 2, 2, 1, 1, 0]


async def test_a_known_address_that_is_forgotten_is_dropped(desk: Desk) -> None:
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    left = []
    for wait in (KNOWN_FOR - timedelta(seconds=1), timedelta(seconds=1)):
        desk.clock.move(wait)
        await desk.requests.forget_old()
        left.append(len(await desk.rows("SELECT key FROM known_addresses")))
    assert left == [1, 0]


async def test_neither_an_email_nor_an_address_is_stored(desk: Desk) -> None:
    await desk.accounts.authenticate(EMAIL, PASSWORD, ADDRESS)
    await fail(desk, 1, address=ADDRESS)
    stored = str(
        await desk.rows(
            "SELECT sign_in_attempts::text, key FROM sign_in_attempts"
            " UNION ALL SELECT known_addresses::text, key FROM known_addresses"
        )
    )
    assert EMAIL not in stored
    assert ADDRESS not in stored


async def test_a_password_of_any_characters_is_only_wrong(desk: Desk) -> None:
    with pytest.raises(BadCredentials):
        await desk.accounts.authenticate("\ud800\0", SecretStr("\ud800\0"), ADDRESS)
