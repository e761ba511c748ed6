"""A service as the gateway knows it: its instances, how it fares, and how much may be asked of it."""

import time
from collections.abc import Callable, Collection, Sequence

from api.gateway.breakers import Breaker
from api.gateway.bulkheads import Bulkhead
from api.gateway.retries import RetryBudget

# An instance that says so stops taking requests soon, and is gone or back after this long.
LEAVING_SECONDS = 10.0
# One that refuses connections is passed over for a moment, unless there is no other.
ABSENT_SECONDS = 1.0


class Instance:
    """One process of a service, by its base URL."""

    __slots__ = ("avoided_until", "url")

    def __init__(self, url: str) -> None:
        self.url = url
        self.avoided_until = 0.0


class Upstream:
    """One service; its instances take turns."""

    def __init__(
        self,
        service: str,
        urls: Sequence[str],
        concurrency: int,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.breaker = Breaker(service, now)
        self.bulkhead = Bulkhead(service, concurrency)
        self.budget = RetryBudget(service, now)
        self._instances = tuple(map(Instance, urls))
        self._now = now
        self._turn = 0

    def pick(self, tried: Collection[Instance] = ()) -> Instance:
        """The next instance: of those not tried yet one that is not avoided, or has been for longest."""
        if len(self._instances) == 1:
            return self._instances[0]
        self._turn += 1
        count = len(self._instances)
        in_turn = [self._instances[(self._turn + offset) % count] for offset in range(count)]
        now = self._now()
        untried = [instance for instance in in_turn if instance not in tried] or in_turn
        free = next((instance for instance in untried if instance.avoided_until <= now), None)
        return free or min(untried, key=lambda instance: instance.avoided_until)

    def leaves(self, instance: Instance) -> None:
        """It has said that it is about to stop."""
        instance.avoided_until = self._now() + LEAVING_SECONDS

    def is_absent(self, instance: Instance) -> None:
        """It does not take connections."""
        instance.avoided_until = max(instance.avoided_until, self._now() + ABSENT_SECONDS)
