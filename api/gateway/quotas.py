"""How much one caller may do in a while, and how a client is told what is left of it."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil

from limits import parse

from api.gateway.errors import GatewayRefusal
from api.gateway.routes import LimitClass
from contracts.errors import Kind
from runtime.settings import PREFIX, MissingSetting, Settings

# How far the reads of one caller may exceed their quota, over all gateway processes together.
OVERSHOOT = 0.02
# More would save no more trips worth counting.
MOST_AHEAD = 64

Headers = tuple[tuple[bytes, bytes], ...]
_LIMIT_HEADERS = frozenset({b"ratelimit-policy", b"ratelimit"})


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests of one class in any stretch of so many seconds, for each caller."""

    limit_class: LimitClass
    permits: int
    seconds: int
    # How many permits of one caller a process may hold in advance; none where the count is exact.
    ahead: int = 0
    policy: tuple[bytes, bytes] = field(init=False)
    service_limit: bytes = field(init=False)

    def __post_init__(self) -> None:
        policy = f'"{self.limit_class}";q={self.permits};w={self.seconds}'
        object.__setattr__(self, "policy", (b"ratelimit-policy", policy.encode()))
        object.__setattr__(self, "service_limit", f'"{self.limit_class}";r=%d;t=%d'.encode())

    def share(self, processes: int) -> "Quota":
        """What one process allows when it counts alone.

        A leaky bucket may let through twice its size within a window. That is bearable where a quota protects
        us from load; where it protects accounts from guesses, half of the share keeps it below the quota.
        """
        parts = processes * (2 if self.limit_class is LimitClass.SIGN_IN else 1)
        return replace(self, permits=max(1, self.permits // parts), ahead=0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller after a request, and in how many seconds there is more."""

    quota: Quota
    remaining: int
    resets_in: int
    refused: bool = False

    @classmethod
    def after(cls, quota: Quota, remaining: int, seconds: float) -> "Allowance":
        return cls(quota, remaining, max(1, ceil(seconds)))

    @property
    def headers(self) -> Headers:
        """RateLimit-Policy and RateLimit, after a refusal also Retry-After.

        As in draft-ietf-httpapi-ratelimit-headers-10: its `t` is when there is more, not when all is back,
        and so the same as Retry-After.
        """
        quota = self.quota
        limit = (b"ratelimit", quota.service_limit % (self.remaining, self.resets_in))
        if self.refused:
            return quota.policy, limit, (b"retry-after", b"%d" % self.resets_in)
        return quota.policy, limit


class LimitExceeded(GatewayRefusal):
    """The caller has used up the quota; after `retry_after` seconds there is more."""

    code = "gateway.rate_limited"
    kind = Kind.THROTTLED

    def __init__(self, quota: Quota, seconds: float) -> None:
        self.allowance = Allowance(quota, 0, max(1, ceil(seconds)), refused=True)
        super().__init__(
            f"More than {quota.permits} requests in {quota.seconds} seconds: try again later.",
            retry_after=self.allowance.resets_in,
        )


def without_limits(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Ours for the answer of a service that refuses by its own limit: what another one allows misleads."""
    return [header for header in headers if header[0] not in _LIMIT_HEADERS]


def quotas_of(settings: Settings) -> Mapping[LimitClass, Quota]:
    """The quota of every class; MissingSetting where one cannot be read."""
    quotas = {limit_class: _quota(limit_class, settings) for limit_class in LimitClass}
    reads = quotas[LimitClass.READ]
    ahead = int(reads.permits * OVERSHOOT) // settings.gateway_processes
    return quotas | {LimitClass.READ: replace(reads, ahead=min(ahead, MOST_AHEAD))}


def _quota(limit_class: LimitClass, settings: Settings) -> Quota:
    name = f"limit_{limit_class}"
    try:
        rate = parse(getattr(settings, name))
    except ValueError:
        rate = None
    if rate is None or rate.amount < 1:
        raise MissingSetting(f"{PREFIX}{name.upper()} is not usable: it has to read like 300/minute")
    return Quota(limit_class, rate.amount, rate.get_expiry())


def address_principal(address: str) -> str:
    """Who sends from an address: of IPv6 its /64, within which a household may choose addresses at will."""
    return f"a:{address}" if ":" not in address else _network_principal(address)


@lru_cache(maxsize=4_096)
def _network_principal(address: str) -> str:
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        # All that cannot be told apart shares one quota.
        return "a:unknown"
    if parsed.ipv4_mapped is not None:
        return f"a:{parsed.ipv4_mapped}"
    return f"a:{ipaddress.IPv6Network((parsed, 64), strict=False)}"
