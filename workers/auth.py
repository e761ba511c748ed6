"""The auth worker: takes auth's events to the bus; it has no steps and hears nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from runtime.settings import Settings
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with open_postgres_events("auth", settings, client) as events:
        yield WorkerParts(events.workers, events.loops)


def main() -> None:
    run_worker("auth", open_worker)


if __name__ == "__main__":
    main()
