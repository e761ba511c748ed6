"""Every kind of end, run now and replayed now; MICROMART_SAVE_HISTORIES=1 keeps them for later versions."""

import os
import re
from pathlib import Path

import pytest

from contracts.checkout import Checkout
from tests.workflows.shop import Shop
from tests.workflows.test_checkout_actions import act
from tests.workflows.test_checkout_replay import replayer

FOLDER = Path(__file__).parent / "histories"
ROOT = Path(__file__).parents[2]


def scrubbed(history: str) -> str:
    """A history without the machine that it was made on."""
    return re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history).replace(f"{ROOT}/", "")


async def confirmed(shop: Shop) -> Checkout:
    checkout = await shop.placed()
    await shop.bought(checkout)
    return checkout


async def declined(shop: Shop) -> Checkout:
    checkout = await shop.placed("tok_declined")
    await shop.bought(checkout)
    return checkout


async def cancelled(shop: Shop) -> Checkout:
    gate = shop.faults.hold_before("payments.authorize")
    checkout = await shop.stopped_at(gate)
    await shop.cancel(checkout)
    gate.opened.set()
    await shop.handle(checkout).result()
    return checkout


async def expired(shop: Shop) -> Checkout:
    shop.faults.always_fail("payments.authorize")
    checkout = await shop.placed(time_limit=1)
    await shop.bought(checkout)
    return checkout


async def taken_over(shop: Shop) -> Checkout:
    gate = shop.faults.hold_after("inventory.reserve")
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).terminate("by hand")
    gate.opened.set()
    await shop.reconciled(checkout)
    await shop.handle(checkout).result()
    return checkout


async def waited(shop: Shop) -> Checkout:
    checkout = await shop.placed("tok_action_required")
    await shop.bought(checkout)
    await act((await shop.order(checkout)).action_url or "", "approve")
    await shop.checkouts.payment_reported(checkout.order_id)
    await shop.handle(checkout).result()
    return checkout


@pytest.mark.parametrize("ending", [confirmed, declined, cancelled, expired, taken_over, waited])
async def test_a_history_replays(shop: Shop, ending: object) -> None:
    checkout = await ending(shop)  # type: ignore[operator]
    history = await shop.handle(checkout).fetch_history()
    await replayer().replay_workflow(history)
    if os.environ.get("MICROMART_SAVE_HISTORIES"):
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{ending.__name__}.json").write_text(scrubbed(history.to_json()))  # type: ignore[attr-defined]
