"""The key that signs access tokens gives way to another while the shop is open."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.auth.views import KeySetView
from cli.demo.forgery import kid_of
from cli.demo.stage import Stage
from cli.trail import noted
from runtime.clock import utc_now
from services.auth.errors import RotationUnderWay
from services.auth.factory import open_keys

# The least that `micromart keys rotate` takes: our gateways know the new one by then.
PUBLISHED = timedelta(seconds=10)


@dataclass(frozen=True)
class Handover:
    """Which key signs from when, and in whose place."""

    old: str
    new: str
    at: datetime


async def rotate(stage: Stage) -> Handover | None:
    """Publish another key, which signs a little later; None where one waits already."""
    stage.title("Another key is to sign access tokens")
    try:
        async with (
            noted(stage.settings, "keys rotate", "signing keys"),
            open_keys(stage.settings) as signing_keys,
        ):
            new = await signing_keys.rotate(PUBLISHED)
    except RotationUnderWay as error:
        stage.console.print(f"  {error}", markup=False)
        return None
    handover = Handover(kid_of(stage.staff.token), new.kid, new.signs_from)
    answer = await stage.shop.ask("GET", "/.well-known/jwks.json")
    published = {key.kid for key in answer.read(KeySetView).keys}
    stage.findings.check(
        {handover.old, handover.new} <= published,
        f"keys rotate: {handover.new} is published",
        published,
    )
    stage.console.print(f"      it signs in {PUBLISHED.seconds} s; meanwhile:", style="dim")
    return handover


async def look_again(stage: Stage, handover: Handover | None) -> None:
    """New tokens are the new key's; those of the old one open what they opened."""
    if handover is None:
        return
    stage.title(f"{PUBLISHED.seconds} seconds later, it signs")
    await asyncio.sleep((handover.at - utc_now()).total_seconds())

    async def signed_with() -> str:
        await stage.shop.sign_in(stage.who)
        return kid_of(stage.shop.token)

    await stage.becomes(f"Ada signs in: her token is {handover.new}'s", signed_with, handover.new)
    ada = await stage.shop.ask("GET", "/v1/auth/me")
    stage.findings.check(ada.status == 200, "it opens her account", ada)
    grace = await stage.staff.ask("GET", "/v1/auth/me")
    holds = (kid_of(stage.staff.token), grace.status) == (handover.old, 200)
    stage.findings.check(holds, f"Grace's is {handover.old}'s, and opens as before", grace)
