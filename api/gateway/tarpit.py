"""Who keeps sending what is refused waits for its refusals, so that a flood takes little from the others."""

import random
import time
from collections.abc import Callable

from cachetools import LRUCache

from api.gateway.quotas import address_principal

# More than any client that means well, and few enough to cost nothing worth counting.
AT_ONCE = 200
PER_SECOND = 100
# On average.
HELD_SECONDS = 0.25
# Whoever falls out begins anew.
ADDRESSES = 10_000


class Tarpit:
    """Counts refusals by address; those beyond what an address may cause are held back for a moment.

    What is good never waits: clients that share an address with a flooder are served as before.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # When an address's refusals (IPv6: its /64's), one after another at the allowed pace, would be over.
        self._over_at: LRUCache[str, float] = LRUCache(ADDRESSES)

    def __len__(self) -> int:
        return len(self._over_at)

    def hold(self, address: str) -> float:
        """Count one refusal; answers for how many seconds to hold it back. Not safe to repeat."""
        now = self._now()
        address = address_principal(address)
        over_at = max(self._over_at.get(address, now), now)
        if over_at - now >= AT_ONCE / PER_SECOND:
            # Those that came together are not let go together.
            return HELD_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311
        self._over_at[address] = over_at + 1 / PER_SECOND
        return 0.0
