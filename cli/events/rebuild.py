"""Making the bus forget what was relayed to it, and watching the relays tell it again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from rich.table import Table

from contracts.errors import Unavailable
from contracts.topology import SERVICES, Service, Store
from runtime.bus import Bus, open_bus, stream_of
from runtime.embedded.errors import PlatformError
from runtime.postgres_outbox import open_postgres_outbox
from runtime.relay import BATCH, OutboxSource
from runtime.settings import Settings
from runtime.shards import SHARDS

POLL_SECONDS = 0.1
# Where new events never cease, an outbox is hardly ever empty: what is older than a batch has been told.
_SETTLED_SECONDS = 1.0


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The services of these names, all of them without one."""
    known = [service.name for service in SERVICES]
    if unknown := set(names or ()) - set(known):
        raise PlatformError(f"there is no service {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return tuple(name for name in known if not names or name in names)


@dataclass
class Telling:
    """How far one service is with telling its events again."""

    service: str
    outbox: OutboxSource
    left: int = 0
    begun: bool = False
    told: bool = False
    on_bus: int = 0
    seconds: float = 0.0
    _settled_since: float | None = None

    async def look(self, bus: Bus, started: float) -> bool:
        """Look where it is now; answers whether it has come any further."""
        before, began_before = self.left, self.begun
        self.begun = await bus.is_begun(self.service, range(SHARDS))
        # After the markers: by then all that is kept counts as unpublished.
        self.left = await self.backlog()
        now = time.monotonic()
        if not self.begun or self.left > BATCH:
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = now
        settled = self._settled_since is not None and now - self._settled_since >= _SETTLED_SECONDS
        self.told = self.begun and (self.left == 0 or settled)
        self.seconds = now - started
        return self.told or self.begun != began_before or self.left < before

    async def backlog(self) -> int:
        """How much is unpublished; where that cannot be asked, whose it is."""
        try:
            return await self.outbox.backlog()
        except Unavailable as error:
            raise Unavailable(f"{self.service}: {error}") from error

    async def count(self, bus: Bus) -> None:
        """See how much of it is on the bus."""
        lengths = [await bus.length(stream_of(self.service, shard)) for shard in range(SHARDS)]
        self.on_bus = sum(lengths)

    @property
    def reason(self) -> str | None:
        """Why it is not done, for whoever waits."""
        if self.told:
            return None
        if not self.begun:
            return (
                f"no relay of {self.service} has begun: is its worker, {self.service}-worker, running?"
                " It tells everything again as soon as it does"
            )
        return f"the relay of {self.service} does not get on: {self.left} events are left"


class Rebuild:
    """All services that are to tell their events again. Safe to repeat, and to leave in the middle."""

    def __init__(self, bus: Bus, tellings: Iterable[Telling]) -> None:
        self._bus = bus
        self._tellings = tuple(tellings)

    async def run(self, patience: float, tell: Callable[[str], None] = lambda _: None) -> None:
        """Forget, then wait until all is told again, or until nothing has moved for that long.

        Nothing is forgotten unless every outbox answers.
        """
        for telling in self._tellings:
            telling.left = await telling.backlog()
        for telling in self._tellings:
            await self._bus.forget(telling.service)
        started = moved = time.monotonic()
        while (waiting := self._waiting) and time.monotonic() - moved < patience:
            if any([await telling.look(self._bus, started) for telling in waiting]):
                moved = time.monotonic()
            tell(self._progress())
            await asyncio.sleep(POLL_SECONDS)
        for telling in self._tellings:
            await telling.count(self._bus)

    @property
    def is_complete(self) -> bool:
        return not self._waiting

    def reasons(self) -> list[str]:
        """Why it is not complete, a line for each service that is not done."""
        return [telling.reason for telling in self._waiting if telling.reason is not None]

    def document(self) -> dict[str, object]:
        return {
            "complete": self.is_complete,
            "services": [
                {
                    "service": one.service,
                    "told": one.told,
                    "left": one.left,
                    "on_bus": one.on_bus,
                    "seconds": round(one.seconds, 1),
                }
                for one in self._tellings
            ],
        }

    def table(self) -> Table:
        table = Table("service", "told again", "left", "on the bus", "after", box=None, header_style="bold")
        for one in self._tellings:
            told = "[green]yes[/]" if one.told else "[red]no[/]"
            table.add_row(one.service, told, str(one.left), str(one.on_bus), f"{one.seconds:.1f} s")
        return table

    def _progress(self) -> str:
        """What is still waited for, in a line."""
        return ", ".join(
            f"{one.service} {f'{one.left} left' if one.begun else 'waits for its relay'}"
            for one in self._waiting
        )

    @property
    def _waiting(self) -> list[Telling]:
        return [telling for telling in self._tellings if not telling.told]


@asynccontextmanager
async def open_rebuild(services: Collection[str], settings: Settings) -> AsyncIterator[Rebuild]:
    """A rebuild of what these services say, over their own outboxes."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings.secret("bus_redis_url")))
        outboxes = {
            service.name: await stack.enter_async_context(_open_outbox(service, settings))
            for service in SERVICES
            if service.name in services
        }
        yield Rebuild(bus, (Telling(service, outbox) for service, outbox in outboxes.items()))


def _open_outbox(service: Service, settings: Settings) -> AbstractAsyncContextManager[OutboxSource]:
    """A service's own outbox, beside its relay."""
    if service.store is Store.POSTGRES:
        return open_postgres_outbox(settings.database_url(service.name))
    # Each with its store's driver: imported where it is needed.
    if service.store is Store.MONGO:
        from services.products.factory import open_outbox as open_products_outbox

        return open_products_outbox(settings)
    from services.carts.factory import open_outbox as open_carts_outbox

    return open_carts_outbox(settings)
