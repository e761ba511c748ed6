"""How often signing in may fail."""

from datetime import UTC, datetime, timedelta

import pytest

from services.auth.attempt_store import Attempts
from services.auth.throttle import (
    DAY,
    FIRST_LOCK,
    LONGEST_LOCK,
    REMEMBERED,
    WINDOW,
    AttemptKeys,
    counted,
    counted_daily,
    taken_back,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTHING = Attempts(0, None, NOON)
LIMIT = 3


def after(failures: int, now: datetime = NOON) -> Attempts:
    known = NOTHING
    for _ in range(failures):
        known = counted(known, LIMIT, now)
    return known


def test_failures_below_the_limit_lock_nothing() -> None:
    assert after(LIMIT - 1) == Attempts(LIMIT - 1, None, NOON + WINDOW)


def test_the_failure_that_reaches_the_limit_locks() -> None:
    locked_until = NOON + FIRST_LOCK
    assert after(LIMIT) == Attempts(LIMIT, locked_until, locked_until + REMEMBERED)


def test_each_failure_after_a_lock_locks_for_twice_as_long_up_to_a_bound() -> None:
    known, locks = after(LIMIT), []
    for _ in range(30):
        assert known.locked_until is not None
        now = known.locked_until
        known = counted(known, LIMIT, now)
        assert known.locked_until is not None
        locks.append(known.locked_until - now)
    assert locks[:4] == [FIRST_LOCK * 2, FIRST_LOCK * 4, FIRST_LOCK * 8, LONGEST_LOCK]
    assert set(locks[3:]) == {LONGEST_LOCK}


@pytest.mark.parametrize("failures", [LIMIT - 1, LIMIT])
def test_what_is_old_is_forgotten(failures: int) -> None:
    known = after(failures)
    assert counted(known, LIMIT, known.forgotten_at).failures == 1
    assert counted(known, LIMIT, known.forgotten_at - timedelta(seconds=1)).failures == failures + 1


def test_the_failure_that_reaches_the_days_limit_locks_what_is_left_of_the_day() -> None:
    known, hour = NOTHING, timedelta(hours=1)
    for number in range(LIMIT):
        known = counted_daily(known, LIMIT, NOON + number * hour)
    assert known == Attempts(LIMIT, NOON + DAY, NOON + DAY)
    assert counted_daily(known, LIMIT, NOON + DAY) == Attempts(1, None, NOON + 2 * DAY)


def test_failures_below_the_days_limit_lock_nothing() -> None:
    assert counted_daily(NOTHING, LIMIT, NOON).locked_until is None


def test_a_failure_that_was_none_unlocks_what_it_locked() -> None:
    locked = after(LIMIT)
    assert taken_back(locked) == Attempts(LIMIT - 1, None, locked.forgotten_at)
    assert taken_back(NOTHING) == NOTHING


def test_an_account_has_another_key_for_each_address() -> None:
    places = ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1"]
    keys = [AttemptKeys.of("ada@example.com", place) for place in places]
    assert len({key.here for key in keys}) == 3
    assert len({key.account for key in keys}) == 1
    assert keys[0].here != AttemptKeys.of("eve@example.com", places[0]).here


def test_one_account_has_one_key_however_its_email_is_spelt() -> None:
    assert AttemptKeys.of(" ADA@example.com") == AttemptKeys.of("ada@example.com")
    assert AttemptKeys.of("eve@example.com") != AttemptKeys.of("ada@example.com")


def test_what_is_no_email_has_a_key_too() -> None:
    assert AttemptKeys.of("ADA") == AttemptKeys.of("ada ")
    assert AttemptKeys.of("\ud800").account != AttemptKeys.of("").account


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("testclient", "testclient", True),
    ],
)
def test_an_address_counts_for_its_network(one: str, other: str, same: bool) -> None:
    keys = [AttemptKeys.of("ada@example.com", address).address for address in (one, other)]
    assert (keys[0] == keys[1]) is same


def test_no_key_shows_what_it_is_made_of() -> None:
    keys = AttemptKeys.of("ada@example.com", "192.0.2.1")
    assert keys.address is not None
    assert keys.here is not None
    assert {len(keys.account), len(keys.address), len(keys.here)} == {32}
