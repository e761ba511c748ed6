"""Passwords: Argon2id with OWASP's parameters, a few at a time, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr

from services.auth.errors import HashingBusy

_Result = TypeVar("_Result")

# Each hashing holds 19 MiB and a core for tens of milliseconds: what comes beyond these waits its turn,
# and what would wait for seconds is refused instead: a flood must not keep everybody else from signing in.
CONCURRENT = 2
WAITING = 64
PATIENCE = timedelta(seconds=5)
OWASP = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


class Passwords:
    """Hashes and verifies; passwords stay wrapped, so that no traceback shows one."""

    def __init__(
        self, hasher: PasswordHasher = OWASP, *, waiting: int = WAITING, patience: timedelta = PATIENCE
    ) -> None:
        self._hasher = hasher
        self._decoy = hasher.hash(b"nobody's password")
        self._threads = ThreadPoolExecutor(CONCURRENT, thread_name_prefix="argon2")
        self._room = CONCURRENT + waiting
        self._turns = asyncio.Semaphore(CONCURRENT)
        self._patience = patience.total_seconds()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: SecretStr) -> str:
        """A new salted hash; each call answers another."""
        return await self._in_turn(lambda: self._hash(password))

    async def verify(self, password_hash: str | None, password: SecretStr) -> bool:
        """Whether the password is the hash's; without a hash it takes as long and answers no."""
        matches = await self._in_turn(lambda: self._verify(password_hash or self._decoy, password))
        return matches and password_hash is not None

    def ensure_room(self) -> None:
        """Nothing, or HashingBusy when too many wait already: for who would do much before hashing."""
        if self._room <= 0:
            raise _busy()

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        self.ensure_room()
        self._room -= 1
        try:
            await self._wait_for_a_turn()
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            finally:
                self._turns.release()
        finally:
            self._room += 1

    async def _wait_for_a_turn(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise _busy() from None

    def _hash(self, password: SecretStr) -> str:
        return self._hasher.hash(_bytes(password))

    def _verify(self, password_hash: str, password: SecretStr) -> bool:
        try:
            return self._hasher.verify(password_hash, _bytes(password))
        except VerifyMismatchError:
            return False


def _busy() -> HashingBusy:
    return HashingBusy("too many people sign in at this moment: try again", retry_after=1)


def _bytes(password: SecretStr) -> bytes:
    # JSON can carry half a surrogate pair: no character, but no reason to fail either.
    return password.get_secret_value().encode("utf-8", "surrogatepass")
