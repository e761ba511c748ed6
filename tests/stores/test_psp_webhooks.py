"""What the provider tells the shop: signed, again and again, and also after it was killed."""

import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.http_server import serving
from tests.polling import until
from tests.stores.psp_calls import API_KEY, PATH, Psp, new_key, running

SECRET = "a secret of the tests"


@dataclass
class Shop:
    """Where webhooks arrive: refuses the first few of each event, and all of them while it is shut."""

    url: str = ""
    refuse_first: int = 0
    is_shut: bool = False
    seen: Counter[str] = field(default_factory=Counter)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    forged: int = 0

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        stamp, _, given = request.headers["psp-signature"].partition(",v1=")
        at = stamp.removeprefix("t=")
        expected = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if given != expected or abs(time.time() - int(at)) > 60:
            self.forged += 1
            return Response(status_code=401)
        event = json.loads(body)
        self.seen[event["id"]] += 1
        if self.is_shut or self.seen[event["id"]] <= self.refuse_first:
            return Response(status_code=500)
        self.accepted.append(event)
        return Response(status_code=204)

    def types(self, authorization: str) -> list[str]:
        told = [event for event in self.accepted if event["data"]["authorization"] == authorization]
        return sorted(event["type"] for event in told)

    async def heard(self, count: int) -> None:
        async def enough() -> bool:
            return len({event["id"] for event in self.accepted}) >= count

        await until(enough)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    async with serving(Starlette(routes=[Route("/hook", shop.receive, methods=["POST"])])) as url:
        shop.url = f"{url}/hook"
        yield shop


def telling(shop: Shop, ledger: Path) -> AbstractAsyncContextManager[Psp]:
    return running(
        ledger,
        MICROMART_PSP_API_KEY=API_KEY,
        MICROMART_PSP_WEBHOOK_URL=shop.url,
        MICROMART_PSP_WEBHOOK_SECRET=SECRET,
    )


async def known_as_heard(psp: Psp, count: int) -> None:
    """Wait until the provider itself knows that so many were heard."""

    async def known() -> bool:
        return f'psp_webhooks_total{{outcome="heard"}} {count}.0' in (await psp.get("/metrics")).body.decode()

    await until(known)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


async def test_every_movement_is_told_signed(shop: Shop, ledger: Path) -> None:
    async with telling(shop, ledger) as psp:
        path = await psp.authorized()
        await psp.post(f"{path}/capture", new_key(), {})
        await psp.post(f"{path}/refund", new_key(), {})
        other = await psp.authorized()
        await psp.post(f"{other}/void", new_key(), {})
        await psp.authorize(new_key(), "tok_declined")
        asked = (await psp.authorize(new_key(), "tok_action_required")).json["id"]
        await shop.heard(7)
        assert shop.types(path.removeprefix(f"{PATH}/")) == ["authorized", "captured", "refunded"]
        assert shop.types(other.removeprefix(f"{PATH}/")) == ["authorized", "voided"]
        assert shop.types(asked) == ["requires_action"]
        assert {event["data"]["reference"] for event in shop.accepted} == {"order-1"}
        assert shop.forged == 0
        assert 'psp_webhooks_total{outcome="heard"}' in (await psp.get("/metrics")).body.decode()


async def test_what_moved_nothing_is_not_told(shop: Shop, ledger: Path) -> None:
    async with telling(shop, ledger) as psp:
        path = await psp.authorized()
        for _ in range(2):
            await psp.post(f"{path}/void", new_key(), {})
        await psp.post(f"{path}/capture", new_key(), {})
        await psp.authorize(new_key(), "tok_error_once")
        await psp.authorized()
        await shop.heard(3)
    assert len(shop.seen) == 3
    assert shop.types(path.removeprefix(f"{PATH}/")) == ["authorized", "voided"]


async def test_what_was_refused_is_told_again_as_the_same_event(shop: Shop, ledger: Path) -> None:
    shop.refuse_first = 2
    async with telling(shop, ledger) as psp:
        for _ in range(5):
            await psp.authorized()
        await shop.heard(5)
    assert set(shop.seen.values()) == {3}
    assert shop.forged == 0


async def test_what_was_not_heard_is_told_after_a_kill(shop: Shop, ledger: Path) -> None:
    async with telling(shop, ledger) as psp:
        await psp.authorized()
        await shop.heard(1)
        shop.is_shut = True
        paths = [await psp.authorized() for _ in range(3)]
        await psp.kill()
    shop.is_shut = False
    async with telling(shop, ledger):
        await shop.heard(4)
    assert all(shop.types(path.removeprefix(f"{PATH}/")) == ["authorized"] for path in paths)


async def test_what_was_heard_is_not_told_again_after_a_restart(shop: Shop, ledger: Path) -> None:
    async with telling(shop, ledger) as psp:
        for _ in range(3):
            await psp.authorized()
        await known_as_heard(psp, 3)
        psp.process.terminate()
        await psp.process.wait()
    async with telling(shop, ledger) as psp:
        await psp.authorized()
        await shop.heard(4)
    assert set(shop.seen.values()) == {1}


async def test_who_begins_to_listen_hears_of_what_is_new(shop: Shop, ledger: Path) -> None:
    async with running(ledger) as psp:
        await psp.authorized()
    async with telling(shop, ledger) as psp:
        path = await psp.authorized()
        await shop.heard(1)
    [event] = shop.accepted
    assert event["data"]["authorization"] == path.removeprefix(f"{PATH}/")


async def test_a_shop_that_does_not_listen_delays_nobody(shop: Shop, ledger: Path) -> None:
    shop.is_shut = True
    async with telling(shop, ledger) as psp:
        for _ in range(20):
            await psp.authorized()
        assert (await psp.get("/readyz")).status == 200
        assert len(await psp.ledger(kind="authorized")) == 20


async def test_a_list_that_cannot_be_read_refuses_a_start(shop: Shop, ledger: Path) -> None:
    ledger.with_suffix(".told").write_text("nonsense\n")
    with pytest.raises(AssertionError, match="is not a list of numbers"):
        async with telling(shop, ledger):
            pass
