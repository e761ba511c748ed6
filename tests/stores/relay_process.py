"""A relay in a process of its own, to be stopped by a test: it reads what it relays from its input."""

import asyncio
import sys
from datetime import timedelta

from pydantic import BaseModel

from runtime.bus import open_bus
from runtime.postgres_outbox import PostgresOutbox
from runtime.relay import Relay


class Job(BaseModel):
    """Which outbox goes to which bus, and after how long the database lets go of one that is silent."""

    service: str
    database_url: str
    bus_url: str
    stalled_after: timedelta


async def relay(job: Job) -> None:
    """Relay until the process ends."""
    async with open_bus(job.bus_url) as bus:
        outbox = PostgresOutbox(job.database_url, stalled_after=job.stalled_after)
        await Relay(job.service, outbox, bus).run()


if __name__ == "__main__":
    asyncio.run(relay(Job.model_validate_json(sys.stdin.readline())))
