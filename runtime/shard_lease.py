"""The right to consume a service's shards: one process has it for a shard, and renews it beside its work."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from contracts.errors import Unavailable
from runtime.bus import LEASE_SECONDS, Bus
from runtime.logs import get_logger
from runtime.shards import SHARDS

log = get_logger(__name__)

RENEW_SECONDS = 1.0


class ShardLease:
    """What this process may consume, and what somebody may have left unacknowledged there.

    A process can be stopped at any point and go on much later, when another one has had its shards, has read
    and has died. So the lease ends here by the clock, before it ends on the bus, and a shard that was free is
    new even to who had it before.
    """

    def __init__(self, service: str, bus: Bus) -> None:
        self._service = service
        self._bus = bus
        self._holder = uuid4().hex
        self._held: frozenset[int] = frozenset()
        self._until = 0.0
        self._unread: frozenset[int] = frozenset()
        self._renewed = asyncio.Event()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Hold what is free until the block ends, which lets another one take over at once."""
        self._keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
            await self._give_up()

    async def shards(self) -> frozenset[int]:
        """Those that may be consumed now; a stand-by waits here until there are some."""
        while not (held := self._held_now()):
            await self._renewed.wait()
            self._renewed.clear()
            if self._keeping.done():
                self._keeping.result()
        return held

    def take_unread(self) -> frozenset[int]:
        """Those where something may have been left unacknowledged; whoever takes them reads that first."""
        unread, self._unread = self._unread & self._held, frozenset()
        return unread

    def leave_unread(self) -> None:
        """Something was left unacknowledged by this process itself."""
        self._unread = frozenset(range(SHARDS))

    def covers(self, shards: frozenset[int]) -> bool:
        """Whether nobody else has consumed these since what was left there was taken to be read."""
        return shards <= self._held_now() and not shards & self._unread

    def _held_now(self) -> frozenset[int]:
        return self._held if time.monotonic() < self._until else frozenset()

    async def _keep(self) -> None:
        try:
            while True:
                try:
                    await self._renew()
                except Unavailable as error:
                    log.warning("the lease is not renewed", service=self._service, reason=str(error))
                await asyncio.sleep(RENEW_SECONDS)
        finally:
            self._renewed.set()

    async def _renew(self) -> None:
        asked = time.monotonic()
        lease = await self._bus.lease(self._service, self._holder)
        self._held, self._until = lease.held, asked + LEASE_SECONDS
        self._unread |= lease.new
        self._renewed.set()

    async def _give_up(self) -> None:
        self._held = frozenset()
        try:
            await self._bus.give_up(self._service, self._holder)
        except Unavailable:
            log.info("the lease runs out by itself")
