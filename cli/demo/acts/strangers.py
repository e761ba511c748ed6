"""Those who ask for what is not theirs: each is refused at the gateway, or by the service that owns it."""

import re
from collections.abc import Mapping

from cli.demo.checkouts import WatchedCheckout
from cli.demo.forgery import signed_by_another_key, unsigned
from cli.demo.shop import Credentials, Shop
from cli.demo.stage import MINE, Stage
from contracts.identity import IDENTITY_HEADER, Identity, Role
from runtime.identity import IdentitySigner

_LEFT = re.compile(r'"write";r=(\d+);t=\d+')


async def turn_away(stage: Stage, bought: WatchedCheckout) -> None:
    """No token, a forged one, somebody else's name, somebody else's order, and the staff's doors."""
    stage.title("Who does not get in")
    stranger, refused = stage.shop.another(), stage.refused
    orders, desk = "/v1/orders", "/v1/admin/orders"
    refused(f"nobody at GET {orders}", await stranger.ask("GET", orders), "401 auth.unauthenticated")
    for how, forged in (
        ("with alg none", unsigned(stage.shop.token)),
        ("by another key, under the name of ours", signed_by_another_key(stage.shop.token)),
    ):
        found = await stranger.another(forged).ask("GET", desk)
        refused(f"Ada's token, made an admin's {how}", found, "401 auth.token_invalid")
    await _spoof(stage)
    internal = "/internal/sessions/ended"
    refused(f"GET {internal} from outside", await stranger.ask("GET", internal), "404 gateway.no_such_route")
    refused(f"Ada at GET {desk}", await stage.shop.ask("GET", desk), "403 auth.forbidden")
    await _visit_temporal(stage, stranger)
    mallory = await _newcomer(stage)
    others = await mallory.ask("GET", f"{orders}/{bought.order_id}")
    refused("Mallory, a customer too, at Ada's order", others, "404 orders.not_found")
    await _count_down(stage, mallory)


async def _spoof(stage: Stage) -> None:
    """Even if the gateway's secret had got out: what it vouches for, it writes itself."""
    admin = Identity(subject=(await stage.admin.me()).id, roles=frozenset({Role.ADMIN}))
    signed = IdentitySigner(stage.settings.secret("identity_secret")).sign(admin)
    found = await stage.shop.ask("GET", "/v1/auth/me", headers={IDENTITY_HEADER: signed})
    stage.findings.check(
        found.status == 200 and found == await stage.shop.ask("GET", "/v1/auth/me"),
        "Ada sends an admin's X-Micromart-Identity, rightly signed: she is Ada still",
        found,
    )


async def _visit_temporal(stage: Stage, stranger: Shop) -> None:
    led = await stranger.ask("GET", "/temporal", headers={"accept": "text/html"})
    to_the_form = led.status == 303 and (led.location or "").startswith("/temporal/sign-in")
    stage.findings.check(
        to_the_form, "a stranger's browser at /temporal: 303 to /temporal/sign-in", (led, led.location)
    )
    stage.refused("Ada at /temporal", await stage.shop.ask("GET", "/temporal"), "403 auth.forbidden")


async def _newcomer(stage: Stage) -> Shop:
    who, visitor = Credentials.new("mallory"), stage.shop.another()
    await visitor.register(who)
    await visitor.sign_in(who)
    return visitor


async def _count_down(stage: Stage, visitor: Shop) -> None:
    """Three changes that leave nothing behind; again, should the gateway have lost its count meanwhile."""
    line = f"/v1/carts/{MINE}/items/{stage.watched}"
    told: list[Mapping[str, str]] = []

    async def one_less_each() -> bool:
        told[:] = [(await visitor.ask("DELETE", line)).headers for _ in range(3)]
        left = [_left_after(headers) for headers in told]
        return left[0] > 0 and left == [left[0], left[0] - 1, left[0] - 2]

    holds = await stage.awaited(one_less_each, True)
    policy, left = told[-1].get("ratelimit-policy"), " → ".join(f"r={_left_after(each)}" for each in told)
    fact = f"RateLimit-Policy {policy}, RateLimit {left}"
    stage.findings.check(holds, fact, [each.get("ratelimit") for each in told])


def _left_after(headers: Mapping[str, str]) -> int:
    """How many changes were left then; -1 where that is not told."""
    found = _LEFT.fullmatch(headers.get("ratelimit", ""))
    return int(found[1]) if found else -1
