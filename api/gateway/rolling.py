"""Counting what happened of late, in constant memory."""

from collections.abc import Callable

SECONDS = 10

Now = Callable[[], float]


class RollingCount:
    """How often something happened in this second and the nine before it."""

    __slots__ = ("_buckets", "_newest", "_now", "_total")

    def __init__(self, now: Now) -> None:
        self._now = now
        self._newest = int(now())
        self._buckets = [0] * SECONDS
        self._total = 0

    def add(self) -> None:
        """Count one, now."""
        second = int(self._now())
        if second != self._newest:
            self._forget(second)
        self._buckets[second % SECONDS] += 1
        self._total += 1

    def total(self) -> int:
        """How many are young enough to count still."""
        second = int(self._now())
        if second != self._newest:
            self._forget(second)
        return self._total

    def _forget(self, second: int) -> None:
        """Empty the bucket of each second that has begun since the newest one."""
        for begun in range(self._newest + 1, min(second, self._newest + SECONDS) + 1):
            index = begun % SECONDS
            self._total -= self._buckets[index]
            self._buckets[index] = 0
        self._newest = second
