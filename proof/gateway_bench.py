"""What the gateway does on one core with everything on, beside other proxies and under a flood."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from pydantic import BaseModel

from proof.children import Child, child
from proof.gateway_figures import DIRECT, GATEWAY, Asked, GatewayFigures, GatewayRun
from proof.gateway_flood import BEGUN, Flood, Refused
from proof.gateway_load import BROKEN_PATH, PATH, WARM, Answered, Load
from proof.gateway_peers import PEERS, missing, peer
from proof.gateway_stand import Cores, Subject, Tokens, gateway, upstream, valkey
from proof.meter import cpu_meter
from proof.sending import Tell

# So many share the load that none of them comes near the quota that the gateway ships with.
USERS = 500
# What is beside the gateway's own highest rate needs no more than a part of its time.
BESIDE = 1 / 6
LEAST_SECONDS = 2.0
SPARE_SECONDS = 30.0


class GatewayExtent(BaseModel):
    """How often, and how long the gateway is asked as fast as it answers."""

    runs: int
    seconds: float


async def measure_gateway(extent: GatewayExtent, tell: Tell) -> GatewayFigures:
    """Measure the real gateway process, alone on its core; all else is on the other."""
    tell(f"gateway: {extent.runs} x {extent.seconds:.0f} s, one core")
    for name in missing():
        tell(f"  {name} is not installed and left out; `make bench` installs it")
    cores, tokens = Cores.of_this_machine(), Tokens(USERS)
    with tempfile.TemporaryDirectory(prefix="micromart-gateway-") as name:
        folder = Path(name)
        async with (
            upstream(cores, tokens, folder / "upstream.log") as behind,
            valkey(cores, folder) as limits,
            gateway(cores, behind, limits, folder) as edge,
        ):
            bench = _Bench(cores, tokens, behind, edge, limits, folder, extent.seconds, tell)
            return GatewayFigures(runs=[await bench.run(number) for number in range(1, extent.runs + 1)])


class _Bench:
    """One upstream, one gateway over it, and whoever is measured beside it."""

    def __init__(
        self,
        cores: Cores,
        tokens: Tokens,
        behind: Subject,
        edge: Subject,
        limits: Subject,
        folder: Path,
        seconds: float,
        tell: Tell,
    ) -> None:
        self._cores = cores
        self._tokens = tokens
        self._behind = behind
        self._edge = edge
        self._folder = folder
        self._seconds = seconds
        self._tell = tell
        self._highest = 0.0
        # Whose CPU time is not that of somebody else on this machine.
        self._ours = {one.name: one.pid for one in (behind, edge, limits)}

    async def run(self, number: int) -> GatewayRun:
        beside = max(LEAST_SECONDS, self._seconds * BESIDE)
        edge, behind, others = self._edge, self._behind, self._cores.others
        full = {GATEWAY: await self._ask(edge, self._seconds, others)}
        self._highest = max(self._highest, full[GATEWAY].answered.per_second)
        # The gateway's core is free meanwhile: nothing keeps the upstream from showing what it can.
        full[DIRECT] = await self._ask(behind, beside, self._cores.measured)
        half = {subject.name: await self._ask(subject, beside, others, 1 / 2) for subject in (behind, edge)}
        for name in PEERS:
            if name not in missing():
                async with peer(name, self._cores, behind, self._folder) as other:
                    full[name] = await self._ask(other, beside, others)
                    half[name] = await self._ask(other, beside, others, 1 / 2)
        suspended = await self._ask(edge, beside, others, 1 / 4, BROKEN_PATH, HTTPStatus.SERVICE_UNAVAILABLE)
        polite = await self._ask(edge, beside, others, 1 / 4)
        async with self._flooding() as flooder:
            flooded = await self._ask(edge, beside, others, 1 / 4)
            await flooder.tell("enough")
            flood = Refused.model_validate_json(await flooder.hear(SPARE_SECONDS))
        found = GatewayRun(
            full=full, half=half, suspended=suspended, polite=polite, flooded=flooded, flood=flood
        )
        self._tell_of(number, found)
        return found

    async def _ask(
        self,
        subject: Subject,
        seconds: float,
        core: int,
        part: float | None = None,
        path: str = PATH,
        status: int = HTTPStatus.OK,
    ) -> Asked:
        """Send a load from a process of its own; at that part of the gateway's highest rate, if at one."""
        load = Load(
            port=subject.port,
            core=core,
            seconds=seconds,
            tokens=self._tokens.good,
            rate=part * self._highest if part is not None else None,
            path=path,
            status=status,
        )
        async with child("proof.gateway_load") as sender:
            await sender.tell(load.model_dump_json())
            while await sender.hear(SPARE_SECONDS) != WARM:
                pass
            read = cpu_meter(self._ours | {subject.name: subject.pid, "load": sender.pid})
            answered = Answered.model_validate_json(await sender.hear(seconds + SPARE_SECONDS))
            return Asked(answered=answered, cpu=read())

    @asynccontextmanager
    async def _flooding(self) -> AsyncIterator[Child]:
        flood = Flood(port=self._edge.port, core=self._cores.others, forged_tokens=self._tokens.forged)
        async with child("proof.gateway_flood") as flooder:
            await flooder.tell(flood.model_dump_json())
            while await flooder.hear(SPARE_SECONDS) != BEGUN:
                pass
            self._ours["flood"] = flooder.pid
            yield flooder
            del self._ours["flood"]

    def _tell_of(self, number: int, run: GatewayRun) -> None:
        for name, asked in run.full.items():
            rate, half = asked.answered.per_second, _latencies(run.half[name])
            self._tell(
                f"run {number}  {name:<9} {rate:7.0f}/s, {asked.cpu_us(name):.0f} us CPU; at half {half}"
            )
        for what, asked in (
            ("suspended", run.suspended),
            ("polite", run.polite),
            ("flooded", run.flooded),
        ):
            self._tell(f"run {number}  {what:<9} {_latencies(asked)}")
        self._tell(f"run {number}  flood     {run.flood.per_second:7.0f}/s {run.flood.by_status}")


def _latencies(asked: Asked) -> str:
    one = asked.answered
    return f"p50 {one.p50_ms:.2f} ms, p99 {one.p99_ms:.2f} ms, {one.errors} failed"
