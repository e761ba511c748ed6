"""The story: from a guest's cart to the doorstep, and who is kept out; nothing is taken on trust."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from rich.console import Console
from temporalio.client import Client
from temporalio.service import RPCError

from cli.demo.acts import (
    bank,
    buying,
    doorstep,
    letters,
    machines,
    regrets,
    sessions,
    signing,
    strangers,
    trail,
    unreadable,
)
from cli.demo.checkouts import Checkouts
from cli.demo.eventlog import EventLog
from cli.demo.findings import Findings, NotShown
from cli.demo.provider import Provider
from cli.demo.shop import Shop
from cli.demo.staff import AdminDesk, StaffDesk, hired
from cli.demo.stage import Stage
from contracts.errors import Unavailable
from contracts.identity import Role
from runtime.bus import Wiped, open_bus
from runtime.settings import Settings

# Every answer comes within this, a checkout's after the wait that the shop promises it.
ANSWER_SECONDS = 10.0
# A connection that idled for 5 s is closed on the other side: none is used near that moment.
KEEPALIVE_SECONDS = 3.0


async def play(
    settings: Settings, temporal: Client, findings: Findings, console: Console, data: Path
) -> Stage | None:
    """Play the whole story; what keeps it from going on is a finding too, never an error.

    Answers the stage as the story left it, if it came as far as that.
    """
    stage = None
    try:
        async with _set(settings, temporal, findings, console, data) as stage:
            await _tell(stage)
    except NotShown as error:
        findings.check(False, str(error))
    except (aiohttp.ClientError, RPCError, Unavailable, Wiped, TimeoutError, OSError) as error:
        findings.check(False, "everything answers", repr(error))
    return stage


async def _tell(stage: Stage) -> None:
    await buying.visit(stage)
    first = await buying.buy(stage)
    await doorstep.hear_of_it(stage, first)
    declined = await buying.be_declined(stage)
    second = await buying.buy_after_all(stage)
    third = await bank.ask_the_owner(stage)
    await doorstep.send(stage, first)
    await regrets.cancel(stage, second)
    await regrets.refund_a_part(stage, third)
    await unreadable.leave_out(stage)
    await strangers.turn_away(stage, first)
    handover = await signing.rotate(stage)
    await sessions.lose_a_phone(stage)
    await sessions.forget_the_password(stage)
    await machines.let_one_in(stage, third)
    await trail.read_it(stage, first)
    await signing.look_again(stage, handover)
    await letters.read_them(stage, declined=declined)


@asynccontextmanager
async def _set(
    settings: Settings, temporal: Client, findings: Findings, console: Console, data: Path
) -> AsyncIterator[Stage]:
    patience = aiohttp.ClientTimeout(total=settings.checkout_wait_seconds + ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(settings.gateway_url, timeout=patience, connector=_connector()) as gateway,
        aiohttp.ClientSession(timeout=patience, connector=_connector()) as outside,
        open_bus(settings.secret("bus_redis_url")) as bus,
    ):
        shop, events = Shop(gateway), EventLog(bus, console)
        await events.begin()
        yield Stage(
            shop=shop,
            staff=await hired(settings, StaffDesk(gateway), "grace", Role.STAFF),
            admin=await hired(settings, AdminDesk(gateway), "mary", Role.ADMIN),
            provider=Provider(outside, settings),
            temporal=temporal,
            bus=bus,
            events=events,
            checkouts=Checkouts(shop, temporal, console),
            findings=findings,
            console=console,
            settings=settings,
            data=data,
        )


def _connector() -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE_SECONDS)
