"""The cancellation of a confirmed order: one end whatever fails, and money and stock agree with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.checkout import Resolution
from contracts.errors import DomainError
from contracts.fulfilment import ShipmentState
from contracts.orders import CancellationState, OrderState, cancellation_id_of
from contracts.payments import CapturePayment
from sandbox.psp.models import Kind
from services.fulfilment.errors import WrongState
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.workflows.dying import died_after
from tests.workflows.faults import refusal
from tests.workflows.office import ON_HAND, QUANTITY, SKU, Office, office_worker, open_office
from workflows.saga import NEEDS_OPERATOR

DYING = "tests.workflows.dying_worker"

REMOTE = ["fulfilment.stop", "payments.give_back", "inventory.release"]
STEPS = [*REMOTE, "orders.finish_cancellation"]
UNTIL_DONE = REMOTE[1:]


@pytest.fixture
async def office(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Office]:
    async with open_office(servers, fresh_database, psp) as opened:
        yield opened


@pytest.fixture
async def unattended(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Office]:
    """An office whose orders worker the test starts itself."""
    async with open_office(servers, fresh_database, psp, orders_worker=False) as opened:
        yield opened


async def test_a_cancelled_order_gets_its_money_and_its_stock_back(office: Office) -> None:
    order_id = await office.packed()
    await office.cancel(order_id)
    assert await office.cancelled(order_id) is CancellationState.DONE
    await office.assert_cancelled(order_id)


async def test_a_parcel_that_is_not_open_yet_is_never_opened(office: Office) -> None:
    order_id = await office.bought()
    await office.cancel(order_id)
    await office.cancelled(order_id)
    await office.assert_cancelled(order_id)


async def test_an_order_that_is_being_shipped_goes_on(office: Office) -> None:
    order_id = await office.packed()
    await office.ship(order_id)
    await office.cancel(order_id)
    assert await office.cancelled(order_id) is CancellationState.REFUSED
    await office.assert_goes_on(order_id)


async def held_after_a_refusal(office: Office) -> str:
    """An order that was too late to cancel, and whose parcel did not leave after all."""
    order_id = await office.packed("tok_capture_fails")
    await office.ship(order_id)
    await office.cancel(order_id)
    assert await office.cancelled(order_id) is CancellationState.REFUSED
    await office.held(order_id)
    return order_id


async def test_a_refused_cancellation_is_made_after_all_once_the_parcel_is_held(office: Office) -> None:
    order_id = await held_after_a_refusal(office)
    for _ in range(2):
        await office.cancel(order_id)
    assert await office.cancelled(order_id, attempt=2) is CancellationState.DONE
    await office.assert_cancelled(order_id)
    assert await office.told(order_id) == ["order.confirmed", "order.cancelled"]


async def test_a_second_attempt_that_finds_the_parcel_on_its_way_is_refused_too(office: Office) -> None:
    order_id = await held_after_a_refusal(office)
    await office.ship(order_id)
    await office.cancel(order_id)
    assert await office.cancelled(order_id, attempt=2) is CancellationState.REFUSED
    await office.assert_goes_on(order_id)


async def test_a_second_attempt_that_nobody_started_is_started_by_the_reconciler(office: Office) -> None:
    order_id = await held_after_a_refusal(office)
    await office.orders.changes.request_cancellation(order_id)
    await office.reconciled(order_id)
    await office.assert_cancelled(order_id)


async def test_money_that_was_taken_goes_back_from_a_parcel_that_was_held(office: Office) -> None:
    order_id = await office.packed()
    await office.payments.capture(CapturePayment(order_id=order_id))
    await office.cancel(order_id)
    await office.cancelled(order_id)
    total = (await office.order(order_id)).total.amount
    assert office.at_psp(order_id, Kind.REFUNDED) == [total]
    assert (await office.order(order_id)).state is OrderState.CANCELLED


@pytest.mark.parametrize("step", STEPS)
async def test_an_outage_before_a_step_only_delays(office: Office, step: str) -> None:
    office.faults.fail_before(step, times=2)
    order_id = await office.packed()
    await office.cancel(order_id)
    await office.cancelled(order_id)
    await office.assert_cancelled(order_id)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_whose_answer_is_lost_takes_effect_once(office: Office, step: str) -> None:
    office.faults.fail_after(step, times=2)
    order_id = await office.packed()
    await office.cancel(order_id)
    await office.cancelled(order_id)
    await office.assert_cancelled(order_id)


@pytest.mark.parametrize("step", ["fulfilment.stop", "orders.refuse_cancellation"])
async def test_a_refusal_whose_answer_is_lost_stays_a_refusal(office: Office, step: str) -> None:
    office.faults.fail_before(step, times=2)
    if step == "orders.refuse_cancellation":
        office.faults.fail_after(step)
    order_id = await office.packed()
    await office.ship(order_id)
    await office.cancel(order_id)
    await office.cancelled(order_id)
    await office.assert_goes_on(order_id)


@pytest.mark.parametrize("step", STEPS)
async def test_an_operators_cancel_of_the_workflow_does_not_stop_it(office: Office, step: str) -> None:
    gate = office.faults.hold_before(step)
    order_id = await office.packed()
    await office.cancel(order_id)
    await gate.reached.wait()
    await office.handle(order_id).cancel()
    gate.opened.set()
    await office.cancelled(order_id)
    await office.assert_cancelled(order_id)


async def needs_operator(office: Office, order_id: str) -> None:
    """Wait until a person can find the cancellation."""

    async def found() -> bool:
        description = await office.handle(order_id).describe()
        in_temporal = description.typed_search_attributes.get(NEEDS_OPERATOR)
        return bool(in_temporal) and (await office.order(order_id)).needs_operator

    await until(found)


@pytest.mark.parametrize("step", UNTIL_DONE)
async def test_a_step_that_keeps_failing_calls_an_operator_who_resumes_it(office: Office, step: str) -> None:
    office.faults.always_fail(step, refusal("test.broken"))
    order_id = await office.packed()
    await office.cancel(order_id)
    await needs_operator(office, order_id)
    other = next(name for name in UNTIL_DONE if name != step)
    assert office.faults.attempts[other] == 1, "the other step did not wait"
    (workflow_id,) = await office.orders.changes.workflows_in_need(order_id)
    assert workflow_id == cancellation_id_of(order_id)
    office.faults.heal(step)
    assert await office.workflows.resume(workflow_id)
    await office.cancelled(order_id)
    await office.assert_cancelled(order_id)
    assert (await office.order(order_id)).operator_note is None


async def test_an_operator_settles_by_hand_what_keeps_failing(office: Office) -> None:
    office.faults.always_fail("payments.give_back", refusal("test.broken"))
    order_id = await office.packed()
    await office.cancel(order_id)
    await needs_operator(office, order_id)
    resolution = Resolution(note="voided at the provider's desk", by="sam")
    assert await office.workflows.resolve(cancellation_id_of(order_id), resolution)
    assert await office.cancelled(order_id) is CancellationState.DONE
    assert (await office.order(order_id)).state is OrderState.CANCELLED
    assert not await office.workflows.resume(cancellation_id_of(order_id))


async def test_steps_wait_for_a_worker_that_is_away(unattended: Office) -> None:
    order_id = await unattended.packed()
    await unattended.cancel(order_id)
    async with office_worker(unattended):
        await unattended.cancelled(order_id)
    await unattended.assert_cancelled(order_id)


async def test_a_cancellation_goes_on_where_its_worker_was_stopped(unattended: Office) -> None:
    gate = unattended.faults.hold_after("fulfilment.stop")
    order_id = await unattended.packed()
    async with office_worker(unattended):
        await unattended.cancel(order_id)
        await gate.reached.wait()
    gate.opened.set()
    async with office_worker(unattended):
        await unattended.cancelled(order_id)
    await unattended.assert_cancelled(order_id)


async def test_a_worker_that_dies_behind_the_end_of_a_cancellation_ends_it_once(unattended: Office) -> None:
    order_id = await unattended.packed()
    await unattended.cancel(order_id)
    assert await died_after(DYING, "orders.finish_cancellation", unattended.settings) == 137
    async with office_worker(unattended):
        await unattended.cancelled(order_id)
    await unattended.assert_cancelled(order_id)
    assert await unattended.told(order_id) == ["order.confirmed", "order.cancelled"]


async def test_a_cancellation_that_nobody_started_is_started_by_the_reconciler(office: Office) -> None:
    order_id = await office.packed()
    await office.orders.changes.request_cancellation(order_id)
    await office.reconciled(order_id)
    await office.assert_cancelled(order_id)


async def test_a_cancellation_that_was_terminated_by_hand_is_started_again(office: Office) -> None:
    gate = office.faults.hold_after("payments.give_back")
    order_id = await office.packed()
    await office.cancel(order_id)
    await gate.reached.wait()
    await office.handle(order_id).terminate("by hand")
    gate.opened.set()
    await office.reconciled(order_id)
    await office.assert_cancelled(order_id)


async def test_a_cancellation_is_one_however_often_it_is_started(office: Office) -> None:
    order_id = await office.packed()
    await asyncio.gather(*(office.cancel(order_id) for _ in range(5)))
    await office.cancelled(order_id)
    await office.workflows.cancel((await office.order(order_id)).cancellation())
    assert await office.cancelled(order_id) is CancellationState.DONE
    assert office.faults.attempts["fulfilment.stop"] == 1


async def test_a_cancel_and_a_shipment_at_once_end_one_way(office: Office) -> None:
    await office.inventory.set_on_hand(SKU, ON_HAND * 10)
    orders = [await office.packed() for _ in range(10)]

    async def race(order_id: str, number: int) -> bool:
        calls = [office.ship(order_id), office.cancel(order_id)]
        ends = await asyncio.gather(*(calls if number % 2 else calls[::-1]), return_exceptions=True)
        assert all(not isinstance(end, BaseException) or isinstance(end, DomainError) for end in ends)
        cancelled = await office.cancelled(order_id) is CancellationState.DONE
        assert any(isinstance(end, WrongState) for end in ends) is cancelled
        parcel = (await office.fulfilment.shipment(order_id)).state
        assert parcel is (ShipmentState.STOPPED if cancelled else ShipmentState.SHIPPING)
        assert len(office.at_psp(order_id, Kind.VOIDED)) == cancelled
        return cancelled

    ends = await asyncio.gather(*(race(order_id, number) for number, order_id in enumerate(orders)))
    assert (await office.inventory.stock_of(SKU)).reserved == QUANTITY * ends.count(False)


async def test_a_cancelled_order_is_told_of_once(office: Office) -> None:
    office.faults.fail_after("orders.finish_cancellation", times=2)
    order_id = await office.packed()
    await office.cancel(order_id)
    await office.cancelled(order_id)
    assert await office.told(order_id) == ["order.confirmed", "order.cancelled"]
