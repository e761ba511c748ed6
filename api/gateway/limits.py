"""How many requests a caller may send: counted for all gateway processes together, else by each alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost

from api.gateway.exchange import Exchange
from api.gateway.leases import LEASE_SECONDS, Leases
from api.gateway.local_limits import LocalLimits
from api.gateway.quotas import Allowance, LimitExceeded, Quota, address_principal, quotas_of
from api.gateway.routes import LimitClass
from api.gateway.tally import ANSWER_SECONDS, Tally
from runtime.logs import get_logger
from runtime.settings import Settings

__all__ = ["Allowance", "LimitExceeded", "Limiter", "address_principal", "open_limiter"]

log = get_logger(__name__)

LIMITED = Counter("micromart_gateway_limited_total", "Requests refused by a rate limit", ["limit_class"])
SHARED = Gauge(
    "micromart_gateway_limits_shared",
    "Whether limits are counted in Valkey for all gateways (1), or by each alone while that is away (0)",
)

# Of each class: whoever is forgotten early is only asked about again.
REFUSALS_REMEMBERED = 10_000


class Limiter:
    """Admits requests within their quotas, whether Valkey is there or not."""

    def __init__(
        self,
        settings: Settings,
        redis: Redis,
        *,
        now: Callable[[], float] = time.monotonic,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._quotas = quotas_of(settings)
        self._local = LocalLimits(self._quotas, settings.gateway_processes)
        self._tally = Tally(
            redis,
            settings.secret("identity_secret"),
            changed=self._changed,
            now=now,
            answer_seconds=answer_seconds,
        )
        self._leases = Leases()
        self._lapsing: asyncio.Task[None] | None = None
        self._refused_until: dict[LimitClass, dict[str, float]] = {of: {} for of in LimitClass}
        self._limited = {of: LIMITED.labels(of.value) for of in LimitClass}
        self._is_shared: bool | None = None
        self._now = now

    @property
    def is_shared(self) -> bool:
        """Whether requests are counted for all gateway processes together now."""
        return self._tally.is_up

    async def __aenter__(self) -> Self:
        await self._tally.start()
        self._lapsing = asyncio.create_task(self._lapse())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._lapsing is not None:
            self._lapsing.cancel()
            await asyncio.wait({self._lapsing})
        await self._tally.close()

    async def charge(self, exchange: Exchange, limit_class: LimitClass, principal: str) -> None:
        """Admit a request, and have its answer say what is left; a refusal says so, too.

        Not safe to repeat: each call counts.
        """
        try:
            allowance = await self.admit(limit_class, principal)
        except LimitExceeded as error:
            exchange.headers.extend(error.allowance.headers)
            raise
        exchange.headers.extend(allowance.headers)

    async def admit(self, limit_class: LimitClass, principal: str) -> Allowance:
        """Count a request against the caller's quota, or refuse it with LimitExceeded.

        Not safe to repeat: each call counts. What is refused does not count.
        """
        try:
            if self._tally.is_up:
                allowance = await self._shared(self._quotas[limit_class], principal)
                if allowance is not None:
                    return allowance
            return await self._local.admit(limit_class, principal)
        except LimitExceeded:
            self._limited[limit_class].inc()
            raise

    async def _shared(self, quota: Quota, principal: str) -> Allowance | None:
        """The shared count's word; None when it cannot tell."""
        now = self._now()
        lease = None
        if quota.ahead:
            lease = self._leases.open(principal, now)
            if lease.spend(now):
                return Allowance.after(quota, lease.remaining + lease.permits, lease.resets_at - now)
        refused_until = self._refused_until[quota.limit_class]
        until = refused_until.get(principal)
        if until is not None:
            # Nothing comes back before: a flood of what is refused costs Valkey nothing.
            if now < until:
                raise LimitExceeded(quota, until - now)
            del refused_until[principal]
        taken = await self._tally.take(quota, principal, lease)
        if taken is None:
            return None
        if taken.granted:
            return Allowance.after(quota, taken.remaining, taken.seconds)
        if len(refused_until) >= REFUSALS_REMEMBERED:
            del refused_until[next(iter(refused_until))]
        refused_until[principal] = self._now() + taken.seconds
        raise LimitExceeded(quota, taken.seconds)

    async def _lapse(self) -> None:
        """Give back what readers who went away have left."""
        reads = self._quotas[LimitClass.READ]
        while True:
            await asyncio.sleep(LEASE_SECONDS)
            for principal, lease in self._leases.lapse(self._now()):
                if self._tally.is_up:
                    self._tally.give_back(reads, principal, lease)

    def _changed(self, error: Exception | None) -> None:
        """Tell once of each change, not of each attempt."""
        is_shared = error is None
        if is_shared == self._is_shared:
            return
        self._is_shared = is_shared
        SHARED.set(is_shared)
        if error is None:
            log.info("limits_shared")
        else:
            self._leases.clear()
            log.warning("limits_local", error=f"{type(error).__name__}: {error}")


@asynccontextmanager
async def open_limiter(
    settings: Settings, *, answer_seconds: float = ANSWER_SECONDS
) -> AsyncIterator[Limiter]:
    """A limiter over the bus's Valkey, which need not be there."""
    redis = Redis.from_url(
        settings.secret("bus_redis_url"),
        socket_connect_timeout=answer_seconds,
        # A connection that was closed while it lay idle says nothing about Valkey.
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,)),
    )
    try:
        async with Limiter(settings, redis, answer_seconds=answer_seconds) as limiter:
            yield limiter
    finally:
        await redis.aclose()
