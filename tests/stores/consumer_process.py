"""A consumer in a process of its own, which stops or dies where a test wants it to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel

from runtime.bus import open_bus
from runtime.consumer import Consumer
from runtime.database import Database
from runtime.parking import Parked
from runtime.postgres_parking import PostgresParking
from runtime.reactions import Heard, Reaction
from runtime.reactor import Reactor
from tests.polling import until
from tests.stores.events_bench import PATIENCE_SECONDS, SERVICE, TOLD, Listener, SaidFacts

ROOT = Path(__file__).parents[2]


class Job(BaseModel):
    """Where to consume, and the subjects in whose reactions, before the effect, something befalls it."""

    database_url: str
    bus_url: str
    stops_at: str = ""
    dies_at: str = ""
    # Its reaction fails, and whoever is told that it is parked dies of it.
    dies_parking: str = ""


@dataclass
class Fragile(Listener):
    """Listens, until the job's subject comes."""

    job: Job | None = None

    async def hear(self, heard: Heard[SaidFacts]) -> None:
        assert self.job is not None
        if heard.subject == self.job.stops_at:
            os.kill(os.getpid(), signal.SIGSTOP)
        if heard.subject == self.job.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if heard.subject == self.job.dies_parking:
            raise RuntimeError("no")
        await super().hear(heard)


FRAGILE = (Reaction("test.listen", TOLD, SaidFacts, Fragile.hear),)


class DeadlyRetries:
    """Whoever is told of what is parked dies of it."""

    async def join(self, parked: Parked) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def ensure(self, first: Parked) -> None:
        """Left to others."""


@dataclass(frozen=True)
class ConsumerProcess:
    """The process as the test sees it."""

    process: asyncio.subprocess.Process

    async def stopped(self) -> None:
        """Wait until it has stopped itself."""

        async def is_so() -> bool:
            return bool(psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED)

        await until(is_so)

    async def died(self) -> None:
        """Wait until it has killed itself."""
        async with asyncio.timeout(30):
            assert await self.process.wait() == -signal.SIGKILL

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def consuming(job: Job) -> AsyncIterator[ConsumerProcess]:
    """The job's process, killed when the block ends if it lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, cwd=ROOT, stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        process.stdin.write(job.model_dump_json().encode() + b"\n")
        await process.stdin.drain()
        process.stdin.close()
        yield ConsumerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _consume(job: Job) -> None:
    database = Database(job.database_url)
    reactor: Reactor[Any] = Reactor(Fragile(database, job=job), FRAGILE, patience=PATIENCE_SECONDS)
    async with open_bus(job.bus_url) as bus:
        consumer = Consumer(SERVICE, reactor, bus, PostgresParking(database), DeadlyRetries())
        loops = [consumer.run(), consumer.sweep()] if job.dies_parking else [consumer.run()]
        await asyncio.gather(*loops)


if __name__ == "__main__":
    asyncio.run(_consume(Job.model_validate_json(sys.stdin.readline())))
