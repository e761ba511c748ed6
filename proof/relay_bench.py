"""What a relay does on one core, and whether a backlog drains without growing: over real servers, alone."""

import os
from statistics import median

from pydantic import BaseModel

from proof.bench_platform import BenchPlatform, bench_platform
from proof.children import child
from proof.relay_ends import SERVICE
from proof.relay_process import Drained, Job, Part, Relayed, RelayFigures
from proof.sending import Tell
from runtime.settings import PREFIX

SERVERS = ("postgres", "valkey-bus")
JOB_SECONDS = 180.0


class RelayExtent(BaseModel):
    """How much is relayed, how often, and how long a backlog is drained."""

    runs: int
    relayed: int
    backlog: int


async def measure_relay(extent: RelayExtent, tell: Tell) -> RelayFigures:
    """Measure on servers of its own, in one process that is alone on its core."""
    relayed: list[Relayed] = []
    drained: list[Drained] = []
    async with bench_platform(None) as platform:
        tell("relay alone: starting PostgreSQL and the bus")
        await platform.up(only=SERVERS)
        await platform.migrate(SERVICE)
        for run in range(1, extent.runs + 1):
            one = Relayed.model_validate_json(await _done(platform, Part.RELAY, extent.relayed))
            tell(f"run {run}  relay    {one.per_second:6.0f} events/s, {one.per_cpu_second:.0f} a CPU second")
            relayed.append(one)
            two = Drained.model_validate_json(await _done(platform, Part.BACKLOG, extent.backlog))
            tell(f"run {run}  backlog  {two.per_second:6.0f} events/s, memory grew by {two.grown_mb:.1f} MB")
            drained.append(two)
    return RelayFigures(
        per_second=median(one.per_second for one in relayed),
        per_cpu_second=median(one.per_cpu_second for one in relayed),
        backlog=max(drained, key=lambda one: one.grown_mb),
        relayed=relayed,
        drained=drained,
    )


async def _done(platform: BenchPlatform, part: Part, events: int) -> str:
    """What a fresh process answers that does this part."""
    job = Job(
        part=part,
        events=events,
        core=min(os.sched_getaffinity(0)),
        database_url=platform.database_url(SERVICE),
        bus_url=platform.connections[f"{PREFIX}BUS_REDIS_URL"],
    )
    async with child("proof.relay_process") as process:
        await process.tell(job.model_dump_json())
        return await process.hear(JOB_SECONDS)
