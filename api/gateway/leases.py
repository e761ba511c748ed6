"""Permits for reads that a process takes ahead, so that most reads ask nobody."""

from collections.abc import Iterator

# What is not used by then goes back; and who reads less often than this takes nothing ahead.
LEASE_SECONDS = 1.0


class Lease:
    """The permits of one caller that this process holds: more ahead, the more were used a moment ago."""

    __slots__ = ("expires_at", "permits", "remaining", "resets_at", "spent", "taken_at")

    def __init__(self, now: float) -> None:
        self.permits = 0
        self.spent = 0
        self.expires_at = now + LEASE_SECONDS
        self.taken_at = 0
        # What was left beside this lease, and when there will be more.
        self.remaining = 0
        self.resets_at = now

    def spend(self, now: float) -> bool:
        """Use one of the permits, if one is left and still good."""
        if self.permits and now < self.expires_at:
            self.permits -= 1
            self.spent += 1
            return True
        return False

    def wish(self, ahead: int, now: float) -> int:
        """How many permits to ask for in advance, with `ahead` as the most to hold."""
        if now >= self.expires_at:
            return 0
        return max(0, min(ahead, 2 * self.spent) - self.permits)

    def give_back(self, now: float) -> int:
        """How many permits lapse, which `taken_at` tells from others; they cannot be used any more."""
        if now < self.expires_at:
            return 0
        lapsed, self.permits = self.permits, 0
        return lapsed

    def renew(
        self, permits: int, used: int, remaining: int, resets_at: float, taken_at: int, now: float
    ) -> None:
        """Note what was got: what was `used` at once, and `permits` for later."""
        self.spent = used
        self.permits += permits
        self.remaining = remaining
        self.resets_at = resets_at
        self.taken_at = taken_at
        self.expires_at = now + LEASE_SECONDS


class Leases:
    """The leases of one process by caller; those that nobody renews are dropped."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def get(self, principal: str) -> Lease | None:
        return self._leases.get(principal)

    def open(self, principal: str, now: float) -> Lease:
        """The caller's lease, or a new and empty one."""
        lease = self._leases.get(principal)
        if lease is None:
            lease = self._leases[principal] = Lease(now)
        return lease

    def lapse(self, now: float) -> Iterator[tuple[str, Lease]]:
        """Drop what has expired; answers those among it that hold permits still."""
        expired = [(principal, lease) for principal, lease in self._leases.items() if now >= lease.expires_at]
        for principal, lease in expired:
            del self._leases[principal]
            if lease.permits:
                yield principal, lease

    def clear(self) -> None:
        self._leases.clear()
