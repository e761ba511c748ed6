"""A refund: made once, however often its steps fail; payments has the last word."""

from collections.abc import AsyncIterator

import pytest

from contracts.checkout import Resolution
from contracts.orders import RefundState
from contracts.payments import RefundPayment
from sandbox.psp.models import Kind
from services.orders.refund import Refund
from tests.conftest import FreshDatabase, Servers
from tests.orders_samples import euros
from tests.polling import until
from tests.psp_process import Psp
from tests.workflows.faults import outage_without_patience
from tests.workflows.office import Office, office_worker, open_office
from workflows.saga import NEEDS_OPERATOR

STEPS = ["payments.refund", "orders.settle_refund"]


@pytest.fixture
async def office(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Office]:
    async with open_office(servers, fresh_database, psp) as opened:
        yield opened


async def test_a_refund_gives_a_part_back_once(office: Office) -> None:
    order_id = await office.paid()
    refund = await office.refunded(await office.refund(order_id, 300))
    assert (refund.state, refund.refusal) == (RefundState.DONE, None)
    assert office.at_psp(order_id, Kind.REFUNDED) == [300]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_refund_is_made_once_whatever_fails(office: Office, step: str, when: str) -> None:
    fail = office.faults.fail_before if when == "before" else office.faults.fail_after
    fail(step, times=2)
    order_id = await office.paid()
    refund = await office.refunded(await office.refund(order_id, 300))
    assert refund.state is RefundState.DONE
    assert office.at_psp(order_id, Kind.REFUNDED) == [300]


async def test_what_payments_refuses_is_told_with_its_reason(office: Office) -> None:
    order_id = await office.paid()
    everything = (await office.order(order_id)).total
    await office.payments.refund(RefundPayment(order_id=order_id, amount=everything, key="elsewhere"))
    refund = await office.refunded(await office.refund(order_id, 1))
    assert refund.state is RefundState.REFUSED
    assert refund.refusal is not None
    assert refund.refusal.code == "payments.refund_exceeds_capture"
    assert office.at_psp(order_id, Kind.REFUNDED) == [everything.amount]


async def in_need(office: Office, refund: Refund) -> str:
    """Wait until a person can find the refund, at Temporal and in the order; its workflow's id."""
    workflow_id = refund.order(traceparent=None).workflow_id

    async def found() -> bool:
        description = await office.client.get_workflow_handle(workflow_id).describe()
        in_temporal = description.typed_search_attributes.get(NEEDS_OPERATOR)
        return bool(in_temporal) and (await office.seen(refund)).needs_operator

    await until(found)
    assert await office.orders.changes.workflows_in_need(refund.order_id) == [workflow_id]
    return workflow_id


async def needs_nobody(office: Office, workflow_id: str) -> bool:
    description = await office.client.get_workflow_handle(workflow_id).describe()
    return description.typed_search_attributes.get(NEEDS_OPERATOR) is False


async def test_a_refund_that_keeps_failing_calls_an_operator_who_resumes_it(office: Office) -> None:
    office.faults.always_fail("payments.refund", outage_without_patience())
    order_id = await office.paid()
    refund = await office.refund(order_id, 300)
    workflow_id = await in_need(office, refund)
    office.faults.heal("payments.refund")
    assert await office.workflows.resume(workflow_id)
    ended = await office.refunded(refund)
    assert (ended.state, ended.needs_operator) == (RefundState.DONE, False)
    assert await needs_nobody(office, workflow_id)
    assert office.at_psp(order_id, Kind.REFUNDED) == [300]


async def test_a_refund_that_was_made_by_hand_is_taken_for_done(office: Office) -> None:
    office.faults.always_fail("payments.refund", outage_without_patience())
    order_id = await office.paid()
    refund = await office.refund(order_id, 300)
    resolution = Resolution(note="sent back at the provider's desk", by="sam")
    assert await office.workflows.resolve(await in_need(office, refund), resolution)
    assert (await office.refunded(refund)).state is RefundState.DONE
    assert office.at_psp(order_id, Kind.REFUNDED) == []


async def test_a_refund_that_waits_for_an_operator_can_still_be_refused(office: Office) -> None:
    office.faults.always_fail("payments.refund", outage_without_patience())
    order_id = await office.paid()
    refund = await office.refund(order_id, 300)
    workflow_id = await in_need(office, refund)
    everything = (await office.order(order_id)).total
    await office.payments.refund(RefundPayment(order_id=order_id, amount=everything, key="elsewhere"))
    office.faults.heal("payments.refund")
    await office.workflows.resume(workflow_id)
    assert (await office.refunded(refund)).state is RefundState.REFUSED
    assert await needs_nobody(office, workflow_id)


async def test_a_cancel_of_the_workflow_does_not_stop_a_refund(office: Office) -> None:
    gate = office.faults.hold_before("payments.refund")
    refund = await office.refund(await office.paid(), 300)
    await gate.reached.wait()
    await office.client.get_workflow_handle(f"refund-{refund.id}").cancel()
    gate.opened.set()
    assert (await office.refunded(refund)).state is RefundState.DONE


async def test_a_refund_that_nobody_started_is_started_by_the_reconciler(office: Office) -> None:
    order_id = await office.paid()
    refund = await office.orders.changes.request_refund(office.asked(order_id, 300))

    async def made() -> bool:
        await office.reconciler.look()
        return (await office.seen(refund)).has_ended

    await until(made)
    assert office.at_psp(order_id, Kind.REFUNDED) == [300]


async def test_refunds_of_one_order_do_not_wait_for_each_other(
    servers: Servers, fresh_database: FreshDatabase, psp: Psp
) -> None:
    async with open_office(servers, fresh_database, psp, orders_worker=False) as office:
        order_id = await office.paid()
        refunds = [await office.refund(order_id, amount) for amount in (100, 200)]
        async with office_worker(office):
            ended = [await office.refunded(refund) for refund in refunds]
    assert [(refund.state, refund.amount) for refund in ended] == [
        (RefundState.DONE, euros(100)),
        (RefundState.DONE, euros(200)),
    ]
    assert sorted(office.at_psp(order_id, Kind.REFUNDED), key=str) == [100, 200]
