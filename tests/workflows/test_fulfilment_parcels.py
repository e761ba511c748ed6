"""A parcel's way from the confirmed order to the doorstep, and how it waits for people."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts.fulfilment import SHIPMENT_OPENED, SHIPMENT_OVERDUE, ShipmentState
from runtime.database import Database
from services.fulfilment.errors import AlreadyShipping
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.stores.fulfilment_depot import confirmed
from tests.stores.outbox import events_about
from tests.workflows.faults import outage_without_patience, refusal
from tests.workflows.parcel import Parcels, open_parcels

OPEN, SHIPPING, HELD = ShipmentState.OPEN, ShipmentState.SHIPPING, ShipmentState.HELD
SHIPPED, DELIVERED, STOPPED = ShipmentState.SHIPPED, ShipmentState.DELIVERED, ShipmentState.STOPPED


@pytest.fixture
async def parcels(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Parcels]:
    async with open_parcels(servers, fresh_database, psp) as opened:
        yield opened


@pytest.fixture
async def impatient(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Parcels]:
    """A house that reminds its staff soon."""
    async with open_parcels(servers, fresh_database, psp, reminder_seconds=0.3) as opened:
        yield opened


async def said(parcels: Parcels, order_id: str) -> list[str]:
    database = Database(parcels.settings.database_url("fulfilment"), pool_size=1)
    try:
        return [event.type for event in await events_about(database, order_id)]
    finally:
        await database.dispose()


async def test_a_parcel_is_paid_and_taken_from_stock_when_it_is_shipped(parcels: Parcels) -> None:
    order_id = await parcels.packed()
    await parcels.becomes(order_id, OPEN)
    await parcels.assert_kept(order_id)
    await parcels.ship(order_id)
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)


async def test_a_delivery_ends_it(parcels: Parcels) -> None:
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await parcels.becomes(order_id, SHIPPED)
    await parcels.desk.deliver(order_id)
    assert await parcels.ended(order_id) is DELIVERED


async def test_a_confirmation_heard_twice_opens_one_parcel(parcels: Parcels) -> None:
    order_id = await parcels.bought()
    heard = confirmed(order_id)
    await parcels.opener.order_confirmed(heard)
    first = await parcels.handle(order_id).describe()
    await parcels.opener.order_confirmed(heard)
    assert (await parcels.handle(order_id).describe()).run_id == first.run_id
    assert await said(parcels, order_id) == [SHIPMENT_OPENED]


async def test_a_stop_that_came_first_leaves_nothing_to_open(parcels: Parcels) -> None:
    order_id = await parcels.bought()
    await parcels.stop(order_id)
    await parcels.opener.order_confirmed(confirmed(order_id))
    assert (await parcels.shipment(order_id)).state is STOPPED
    assert await parcels.reconciler(timedelta(0)).look() == 0


async def test_a_stop_ends_it(parcels: Parcels) -> None:
    order_id = await parcels.packed()
    await parcels.becomes(order_id, OPEN)
    await parcels.stop(order_id)
    await until(lambda: _reconciled(parcels))
    assert await parcels.ended(order_id) is STOPPED
    await parcels.assert_kept(order_id)


async def test_a_stop_while_it_is_shipped_is_refused_and_changes_nothing(parcels: Parcels) -> None:
    gate = parcels.faults.hold_before("payments.capture")
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await gate.reached.wait()
    with pytest.raises(AlreadyShipping):
        await parcels.stop(order_id)
    gate.opened.set()
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)


async def test_a_refused_capture_holds_the_parcel_until_a_person_ships_it_again(parcels: Parcels) -> None:
    order_id = await parcels.packed("tok_capture_fails")
    await parcels.ship(order_id)
    await parcels.becomes(order_id, HELD)
    held = await parcels.shipment(order_id)
    assert (held.reason or "").startswith("payments.capture_failed: ")
    await until(lambda: parcels.needs_operator(order_id))
    await parcels.assert_kept(order_id)
    await parcels.ship(order_id)
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)
    assert not await parcels.needs_operator(order_id)


async def test_stock_that_cannot_be_taken_holds_the_parcel_too(parcels: Parcels) -> None:
    parcels.faults.fail_before("inventory.take", refusal("inventory.unknown_reservation"))
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await parcels.becomes(order_id, HELD)
    await parcels.ship(order_id)
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)


async def test_a_held_parcel_can_be_stopped(parcels: Parcels) -> None:
    order_id = await parcels.packed("tok_capture_fails")
    await parcels.ship(order_id)
    await parcels.becomes(order_id, HELD)
    await parcels.stop(order_id)
    await until(lambda: _reconciled(parcels))
    assert await parcels.ended(order_id) is STOPPED
    assert not await parcels.needs_operator(order_id)
    await parcels.assert_kept(order_id)


@pytest.mark.parametrize("step", ["payments.capture", "inventory.take", "fulfilment.finish_shipping"])
async def test_an_outage_only_delays_it(parcels: Parcels, step: str) -> None:
    parcels.faults.fail_before(step)
    parcels.faults.fail_after(step)
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)


@pytest.mark.parametrize("step", ["payments.capture", "inventory.take"])
async def test_what_keeps_failing_calls_a_person_and_is_tried_on(parcels: Parcels, step: str) -> None:
    parcels.faults.always_fail(step, outage_without_patience())
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await until(lambda: parcels.needs_operator(order_id))
    assert (await parcels.shipment(order_id)).state is SHIPPING
    parcels.faults.heal(step)
    await parcels.ship(order_id)
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)

    async def needs_nobody() -> bool:
        return not await parcels.needs_operator(order_id)

    # The row knows first; its workflow hears of it in its next task.
    await until(needs_nobody)


async def test_what_is_refused_in_the_end_does_not_keep_failing(parcels: Parcels) -> None:
    parcels.faults.always_fail("payments.capture", outage_without_patience())
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await until(lambda: parcels.needs_operator(order_id))

    async def is_told_to_keep_failing() -> bool:
        return "It keeps failing" in await parcels.details(order_id)

    async def is_told_to_be_held() -> bool:
        return "| held |" in await parcels.details(order_id)

    assert await is_told_to_keep_failing()
    parcels.faults.always_fail("payments.capture", refusal())
    await parcels.ship(order_id)
    await until(is_told_to_be_held)
    assert not await is_told_to_keep_failing()
    assert await parcels.needs_operator(order_id)
    parcels.faults.heal("payments.capture")
    gate = parcels.faults.hold_before("payments.capture")
    await parcels.ship(order_id)
    await gate.reached.wait()
    assert not await parcels.needs_operator(order_id)
    gate.opened.set()
    await parcels.becomes(order_id, SHIPPED)
    await parcels.assert_sent(order_id)


async def test_the_staff_is_reminded_again_and_again(impatient: Parcels) -> None:
    order_id = await impatient.packed()

    async def reminded_twice() -> bool:
        return (await said(impatient, order_id)).count(SHIPMENT_OVERDUE) >= 2

    await until(reminded_twice)
    await impatient.ship(order_id)
    await impatient.becomes(order_id, SHIPPED)
    assert (await impatient.shipment(order_id)).reminders >= 2


async def _reconciled(parcels: Parcels) -> bool:
    """Whether the reconciler found something to see to."""
    return await parcels.reconciler().look() > 0
