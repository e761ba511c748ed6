"""The half of a worker that deals in events, where it can be switched off."""

from contracts.events import Facts
from contracts.payments import PAYMENT_AUTHORIZED
from runtime.reactions import Heard, Reaction
from runtime.settings import Settings
from runtime.temporal import connect
from workers.events import open_postgres_events
from workers.process import WorkerParts


async def _hear(target: object, heard: Heard[Facts]) -> None:
    raise AssertionError


HEARS = (Reaction("test.listen", PAYMENT_AUTHORIZED, Facts, _hear),)


async def test_without_events_a_worker_neither_relays_nor_hears_and_needs_no_bus() -> None:
    settings = Settings(events_enabled=False)
    client = await connect(settings, lazy=True)

    async with open_postgres_events("payments", settings, client, target=None, reactions=HEARS) as events:
        assert events == WorkerParts(workers=(), loops=())
