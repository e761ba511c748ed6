"""The limits as one process keeps them alone, while nobody counts for all."""

from collections.abc import Mapping

from aiolimiter import AsyncLimiter
from cachetools import LRUCache

from api.gateway.quotas import Allowance, LimitExceeded, Quota
from api.gateway.routes import LimitClass

# Of each class. Whoever falls out begins anew, so that many callers cost memory up to here and no more.
CALLERS = 10_000


class Bucket(AsyncLimiter):
    """A leaky bucket that says how much fits into it still."""

    __slots__ = ()

    @property
    def room(self) -> int:
        self._leak()
        return int(self.max_rate - self._level)


class LocalLimits:
    """This process's share of every quota; it goes by the event loop's clock."""

    def __init__(self, quotas: Mapping[LimitClass, Quota], processes: int) -> None:
        self._shares = {limit_class: quota.share(processes) for limit_class, quota in quotas.items()}
        # Kept while Valkey is back: one that comes and goes must not refill them.
        self._buckets: dict[LimitClass, LRUCache[str, Bucket]] = {
            limit_class: LRUCache(CALLERS) for limit_class in LimitClass
        }

    async def admit(self, limit_class: LimitClass, principal: str) -> Allowance:
        """Count a request, or refuse it with LimitExceeded; never waits."""
        share, buckets = self._shares[limit_class], self._buckets[limit_class]
        bucket = buckets.get(principal)
        if bucket is None:
            bucket = buckets[principal] = Bucket(share.permits, share.seconds)
        # A bucket leaks steadily: after this long there is room for one more, however full it is.
        seconds = share.seconds / share.permits
        if bucket.room < 1:
            raise LimitExceeded(share, seconds)
        await bucket.acquire()
        return Allowance.after(share, bucket.room, seconds)
