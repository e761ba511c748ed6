"""A checkout survives the death of whoever works on it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from contracts.checkout import CheckoutState
from contracts.errors import Unavailable
from contracts.money import MAX_QUANTITY
from contracts.orders import OrderState
from runtime.clock import utc_now
from tests.conftest import FreshDatabase, Servers
from tests.orders_samples import new_order, order_line
from tests.polling import until
from tests.psp_process import Psp
from tests.workflows.dying import died_after
from tests.workflows.shop import Shop, open_shop
from workers.orders import open_worker

DYING = "tests.workflows.dying_worker"


@pytest.fixture
async def unattended(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Shop]:
    """A shop whose orders worker the test starts itself."""
    async with open_shop(servers, fresh_database, psp, orders_worker=False) as shop:
        yield shop


@asynccontextmanager
async def orders_worker(shop: Shop) -> AsyncIterator[None]:
    async with open_worker(shop.settings, shop.client) as parts, AsyncExitStack() as stack:
        for worker in parts.workers:
            await stack.enter_async_context(worker)
        yield


async def test_a_worker_that_dies_behind_the_confirm_with_a_cancel_waiting_goes_forward(
    unattended: Shop,
) -> None:
    shop = unattended
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)
    assert await died_after(DYING, "orders.confirm", shop.settings) == 137
    assert (await shop.order(checkout)).state is OrderState.CONFIRMED
    await shop.handle(checkout).cancel()
    async with orders_worker(shop):
        outcome = await shop.handle(checkout).result()
    assert outcome["state"] == CheckoutState.CONFIRMED
    await shop.assert_bought(checkout)


@pytest.mark.parametrize("step", ["orders.begin_undo", "orders.end_undone"])
async def test_a_worker_that_dies_in_the_undo_leaves_nothing_held(unattended: Shop, step: str) -> None:
    shop = unattended
    checkout = await shop.placed("tok_declined")
    await shop.checkouts.start(checkout)
    assert await died_after(DYING, step, shop.settings) == 137
    async with orders_worker(shop):
        await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.REJECTED)


async def test_a_worker_that_dies_behind_the_close_ends_the_checkout_once(unattended: Shop) -> None:
    shop = unattended
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)
    assert await died_after(DYING, "orders.close", shop.settings) == 137
    async with orders_worker(shop):
        await shop.handle(checkout).result()
    await shop.assert_bought(checkout)


async def test_an_order_whose_api_died_before_the_start_is_started_by_the_reconciler(shop: Shop) -> None:
    checkout = await shop.placed()
    await shop.reconciled(checkout)
    await shop.assert_bought(checkout)


async def test_an_order_that_cannot_be_started_does_not_hold_up_the_next(shop: Shop) -> None:
    # An older one, of more units than a checkout takes.
    odd = new_order(lines=(order_line(quantity=MAX_QUANTITY + 1),), created_at=utc_now() - timedelta(hours=1))
    async with shop.orders_store.begin() as tx:
        assert await tx.add(odd, odd.created_at)
    checkout = await shop.placed()

    async def ended() -> bool:
        with pytest.raises(Unavailable):
            await shop.reconciler.look()
        return (await shop.order(checkout)).ended_at is not None

    await until(ended)
    await shop.assert_bought(checkout)


async def test_a_checkout_that_an_operator_terminated_is_undone_by_the_reconciler(shop: Shop) -> None:
    gate = shop.faults.hold_after("payments.authorize")
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).terminate("by hand")
    gate.opened.set()
    await shop.reconciled(checkout)
    await shop.assert_undone(checkout, OrderState.CANCELLED)


async def test_a_confirmed_checkout_that_was_terminated_goes_forward(shop: Shop) -> None:
    gate = shop.faults.hold_before("orders.close")
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).terminate("by hand")
    gate.opened.set()
    await shop.reconciled(checkout)
    await shop.assert_bought(checkout)


async def test_steps_wait_for_a_worker_that_is_away(unattended: Shop) -> None:
    shop = unattended
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)
    async with orders_worker(shop):
        await shop.handle(checkout).result()
    await shop.assert_bought(checkout)
