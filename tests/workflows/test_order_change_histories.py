"""Every kind of end of a cancellation and of a refund, run now and replayed now."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from contracts.orders import cancellation_id_of
from contracts.payments import RefundPayment
from tests.conftest import FreshDatabase, Servers
from tests.psp_process import Psp
from tests.workflows.office import Office, open_office
from tests.workflows.saved import replay_and_keep


@pytest.fixture
async def office(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Office]:
    async with open_office(servers, fresh_database, psp) as opened:
        yield opened


async def cancel_done(office: Office) -> str:
    order_id = await office.packed()
    await office.cancel(order_id)
    return cancellation_id_of(order_id)


async def cancel_refused(office: Office) -> str:
    order_id = await office.packed()
    await office.ship(order_id)
    await office.cancel(order_id)
    return cancellation_id_of(order_id)


async def refund_done(office: Office) -> str:
    refund = await office.refund(await office.paid(), 300)
    return f"refund-{refund.id}"


async def refund_refused(office: Office) -> str:
    order_id = await office.paid()
    everything = (await office.order(order_id)).total
    await office.payments.refund(RefundPayment(order_id=order_id, amount=everything, key="elsewhere"))
    refund = await office.refund(order_id, 1)
    return f"refund-{refund.id}"


@pytest.mark.parametrize("ending", [cancel_done, cancel_refused, refund_done, refund_refused])
async def test_a_history_replays(office: Office, ending: Callable[[Office], Awaitable[str]]) -> None:
    handle = office.client.get_workflow_handle(await ending(office))
    await handle.result()
    await replay_and_keep(await handle.fetch_history(), ending.__name__.replace("_", "/", 1))
