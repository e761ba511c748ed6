"""Every kind of end of a parcel, run now and replayed now."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from contracts.fulfilment import ShipmentState
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.workflows.faults import outage_without_patience, refusal
from tests.workflows.parcel import Parcels, open_parcels
from tests.workflows.saved import replay_and_keep


@pytest.fixture
async def parcels(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Parcels]:
    async with open_parcels(servers, fresh_database, psp, reminder_seconds=0.5) as opened:
        yield opened


async def delivered(parcels: Parcels) -> str:
    parcels.faults.fail_after("payments.capture")
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.SHIPPED)
    await parcels.desk.deliver(order_id)
    return order_id


async def held(parcels: Parcels) -> str:
    order_id = await parcels.packed("tok_capture_fails")
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.HELD)
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.SHIPPED)
    await parcels.desk.deliver(order_id)
    return order_id


async def struggled(parcels: Parcels) -> str:
    """The capture keeps failing, then it is refused; at last it goes well."""
    parcels.faults.always_fail("payments.capture", outage_without_patience())
    order_id = await parcels.packed()
    await parcels.ship(order_id)
    await until(lambda: parcels.needs_operator(order_id))
    parcels.faults.always_fail("payments.capture", refusal())
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.HELD)
    parcels.faults.heal("payments.capture")
    await parcels.ship(order_id)
    await parcels.becomes(order_id, ShipmentState.SHIPPED)
    await parcels.desk.deliver(order_id)
    return order_id


async def stopped(parcels: Parcels) -> str:
    order_id = await parcels.packed()

    async def reminded() -> bool:
        return (await parcels.shipment(order_id)).reminders > 0

    await until(reminded)
    await parcels.stop(order_id)
    # Nobody tells the workflow: it sees it when it would remind the staff again.
    return order_id


@pytest.mark.parametrize("ending", [delivered, held, struggled, stopped])
async def test_a_history_replays(parcels: Parcels, ending: Callable[[Parcels], Awaitable[str]]) -> None:
    order_id = await ending(parcels)
    await parcels.ended(order_id)
    history = await parcels.handle(order_id).fetch_history()
    await replay_and_keep(history, f"fulfilment/{ending.__name__}")
