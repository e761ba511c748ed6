"""The auth worker: takes auth's events to the bus, answers forgotten passwords, prunes; it hears nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from runtime.settings import Settings
from services.auth.factory import open_reset_requests, open_session_pruning
from workers.auth_mail import ForgottenPasswords
from workers.auth_sessions import SessionsPruner
from workers.events import open_postgres_events
from workers.process import WorkerParts, run_worker


@asynccontextmanager
async def open_worker(settings: Settings, client: Client) -> AsyncIterator[WorkerParts]:
    async with (
        open_postgres_events("auth", settings, client) as events,
        open_reset_requests(settings) as requests,
        open_session_pruning(settings) as pruning,
    ):
        forgotten, pruner = ForgottenPasswords(requests), SessionsPruner(pruning)
        loops = (forgotten.run, forgotten.forget, pruner.wipe, pruner.prune)
        yield WorkerParts(events.workers, (*events.loops, *loops))


def main() -> None:
    run_worker("auth", open_worker)


if __name__ == "__main__":
    main()
