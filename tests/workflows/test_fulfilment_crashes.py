"""A parcel survives the death of whoever works on it, and whatever was done to its workflow by hand."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from contracts.fulfilment import ShipmentState
from runtime.embedded.ports import free_port
from runtime.settings import PREFIX, Settings
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.stores.fulfilment_depot import confirmed
from tests.workflows.parcel import Parcels, open_parcels, parcels_worker

ROOT = Path(__file__).parents[2]
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


async def died_after(parcels: Parcels, step: str) -> int:
    """Run a fulfilment worker that dies after the step; answers its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.workflows.dying_parcel_worker",
        step,
        cwd=ROOT,
        env=environment_of(parcels.settings),
    )
    try:
        async with asyncio.timeout(60):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def environment_of(settings: Settings) -> dict[str, str]:
    given = settings.model_dump(include=settings.model_fields_set)
    plain = {name: getattr(value, "get_secret_value", lambda v=value: v)() for name, value in given.items()}
    ours = {f"{PREFIX}{name.upper()}": str(value) for name, value in plain.items()}
    return {**os.environ, **ours, f"{PREFIX}PORT": str(free_port())}


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
    assert await died_after(unattended, step) == 137
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
