import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from pydantic import SecretStr

from services.auth.errors import HashingBusy
from services.auth.passwords import CONCURRENT, OWASP, Passwords
from tests.polling import until

RIGHT, WRONG = SecretStr("correct horse"), SecretStr("battery staple")


class ObservedHasher(PasswordHasher):
    """Cheap, and counts what runs at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = self.running = self.peak = 0
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        with self._lock:
            self.verified += 1
            self.running += 1
            self.peak = max(self.peak, self.running)
        try:
            self.gate.wait()
            return super().verify(hash, password)
        finally:
            with self._lock:
                self.running -= 1


@pytest.fixture
def hasher() -> ObservedHasher:
    return ObservedHasher()


@pytest.fixture
def passwords(hasher: ObservedHasher) -> Iterator[Passwords]:
    with Passwords(hasher) as opened:
        yield opened


async def test_a_hash_verifies_its_own_password_only(passwords: Passwords) -> None:
    stored = await passwords.hash(RIGHT)
    assert await passwords.verify(stored, RIGHT)
    assert not await passwords.verify(stored, WRONG)


async def test_one_password_hashes_differently_each_time(passwords: Passwords) -> None:
    assert await passwords.hash(RIGHT) != await passwords.hash(RIGHT)


async def test_half_a_surrogate_pair_is_hashed_like_any_password(passwords: Passwords) -> None:
    odd = SecretStr("\ud800" * 8)
    assert await passwords.verify(await passwords.hash(odd), odd)


async def test_without_a_hash_the_work_is_done_and_the_answer_is_no(
    passwords: Passwords, hasher: ObservedHasher
) -> None:
    assert not await passwords.verify(None, RIGHT)
    assert hasher.verified == 1


async def test_the_decoys_own_password_opens_nothing(passwords: Passwords) -> None:
    assert not await passwords.verify(None, SecretStr("nobody's password"))


async def test_no_more_than_the_cap_hash_at_once(passwords: Passwords, hasher: ObservedHasher) -> None:
    stored = await passwords.hash(RIGHT)
    answers = await asyncio.gather(*(passwords.verify(stored, RIGHT) for _ in range(40)))
    assert all(answers)
    assert hasher.peak <= CONCURRENT


async def test_a_stored_hash_that_is_none_is_a_fault_and_not_a_wrong_password(passwords: Passwords) -> None:
    with pytest.raises(InvalidHashError):
        await passwords.verify("nonsense", RIGHT)


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    assert not passwords.outdated(await passwords.hash(RIGHT))
    assert passwords.outdated(OWASP.hash("correct horse"))


def test_the_parameters_are_owasps() -> None:
    used = extract_parameters(OWASP.hash("correct horse"))
    assert (used.type.name, used.memory_cost, used.time_cost, used.parallelism) == ("ID", 19_456, 2, 1)


async def test_what_would_wait_too_long_is_refused_and_all_else_is_done(hasher: ObservedHasher) -> None:
    with Passwords(hasher, waiting=3) as passwords:
        stored = await passwords.hash(RIGHT)
        answers = await asyncio.gather(
            *(passwords.verify(stored, RIGHT) for _ in range(20)), return_exceptions=True
        )
        assert answers.count(True) == CONCURRENT + 3
        refused = [answer for answer in answers if isinstance(answer, HashingBusy)]
        assert (len(refused), refused[0].retry_after) == (20 - CONCURRENT - 3, 1)
        assert await passwords.verify(stored, RIGHT)


async def test_nobody_waits_longer_than_the_patience_for_a_turn(hasher: ObservedHasher) -> None:
    with Passwords(hasher, patience=timedelta(milliseconds=1)) as passwords:
        stored = await passwords.hash(RIGHT)
        hasher.gate.clear()
        under_way = [asyncio.ensure_future(passwords.verify(stored, RIGHT)) for _ in range(CONCURRENT)]

        async def all_turns_are_taken() -> bool:
            return hasher.running == CONCURRENT

        await until(all_turns_are_taken)
        with pytest.raises(HashingBusy):
            await passwords.verify(stored, RIGHT)
        hasher.gate.set()
        assert await asyncio.gather(*under_way) == [True] * CONCURRENT
        assert await passwords.verify(stored, RIGHT)
