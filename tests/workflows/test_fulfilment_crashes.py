"""A parcel survives the death of whoever works on it, and whatever was done to its workflow by hand."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus

from contracts.fulfilment import ShipmentState
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.stores.fulfilment_depot import confirmed
from tests.workflows.dying import died_after
from tests.workflows.parcel import Parcels, open_parcels, parcels_worker

DYING = "tests.workflows.dying_parcel_worker"
AT_ONCE = timedelta(0)


@pytest.fixture
async def parcels(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Parcels]:
    async with open_parcels(servers, fresh_database, psp) as opened:
        yield opened


@pytest.fixture
async def unattended(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Parcels]:
    """A house whose fulfilment worker the test starts itself."""
    async with open_parcels(servers, fresh_database, psp, fulfilment_worker=False) as opened:
        yield opened


async def reconciled_to(parcels: Parcels, order_id: str, state: ShipmentState) -> None:
    """Let the reconciler look until the parcel is in this state and its workflow knows."""

    async def there() -> bool:
        await parcels.reconciler(AT_ONCE).look()
        shipment = await parcels.shipment(order_id)
        return shipment.state is state and not shipment.has_news

    await until(there)


@pytest.mark.parametrize("step", ["fulfilment.look", "fulfilment.finish_shipping"])
async def test_a_worker_that_dies_while_it_ships_sends_the_parcel_once(
    unattended: Parcels, step: str
) -> None:
    order_id = await unattended.packed()
    await unattended.ship(order_id)
    assert await died_after(DYING, step, unattended.settings) == 137
    async with parcels_worker(unattended):
        await unattended.becomes(order_id, ShipmentState.SHIPPED)
    await unattended.assert_sent(order_id)


async def test_a_parcel_whose_workflow_nobody_started_is_started_by_the_reconciler(parcels: Parcels) -> None:
    order_id = await parcels.bought()
    await parcels.fulfilment.open_shipment(confirmed(order_id))
    await reconciled_to(parcels, order_id, ShipmentState.OPEN)


async def test_a_shipment_that_its_workflow_was_not_told_of_is_told_by_the_reconciler(
    parcels: Parcels,
) -> None:
    order_id = await parcels.packed()
    await parcels.becomes(order_id, ShipmentState.OPEN)
    await parcels.fulfilment.request_shipping(order_id, "DHL", "0034")
    await reconciled_to(parcels, order_id, ShipmentState.SHIPPED)
    await parcels.assert_sent(order_id)


async def test_a_delivery_that_its_workflow_was_not_told_of_ends_it_all_the_same(parcels: Parcels) -> None:
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.SHIPPED)
    await parcels.fulfilment.deliver(order_id)
    await reconciled_to(parcels, order_id, ShipmentState.DELIVERED)
    assert await parcels.ended(order_id) is ShipmentState.DELIVERED


@pytest.mark.parametrize("by_hand", ["cancel", "terminate"])
async def test_a_waiting_parcel_whose_workflow_was_ended_by_hand_can_be_shipped(
    parcels: Parcels, by_hand: str
) -> None:
    order_id = await parcels.packed()
    await parcels.becomes(order_id, ShipmentState.OPEN)
    await end_by_hand(parcels, order_id, by_hand)
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.SHIPPED)
    await parcels.assert_sent(order_id)


@pytest.mark.parametrize("by_hand", ["cancel", "terminate"])
async def test_a_parcel_whose_workflow_was_ended_while_it_shipped_goes_on(
    parcels: Parcels, by_hand: str
) -> None:
    gate = parcels.faults.hold_after("payments.capture")
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await gate.reached.wait()
    await end_by_hand(parcels, order_id, by_hand)
    gate.opened.set()
    await reconciled_to(parcels, order_id, ShipmentState.SHIPPED)
    await parcels.assert_sent(order_id)


async def test_a_waiting_parcel_gets_its_workflow_back_by_the_patrol(parcels: Parcels) -> None:
    order_id = await parcels.packed()
    await parcels.becomes(order_id, ShipmentState.OPEN)
    await end_by_hand(parcels, order_id, "terminate")
    await parcels.reconciler(AT_ONCE).look()
    description = await parcels.handle(order_id).describe()
    assert description.status is WorkflowExecutionStatus.RUNNING


async def end_by_hand(parcels: Parcels, order_id: str, by_hand: str) -> None:
    handle = parcels.handle(order_id)
    await (handle.cancel() if by_hand == "cancel" else handle.terminate("by hand"))

    async def over() -> bool:
        return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    await until(over)
