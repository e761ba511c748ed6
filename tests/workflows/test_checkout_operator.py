"""A checkout whose undo keeps failing: somebody is called, tries again, or settles it by hand."""

from contracts.checkout import Checkout, CheckoutState, Resolution, StepName, workflow_id_of
from contracts.orders import OrderState
from tests.polling import until
from tests.workflows.faults import refusal
from tests.workflows.shop import PATIENCE, Shop
from workflows.order_changes import OrderChangeWorkflows


async def stuck(shop: Shop) -> Checkout:
    """A checkout that needs an operator: its void fails for good."""
    shop.faults.fail_before("orders.confirm", refusal())
    shop.faults.always_fail("payments.void", refusal("payments.test_stuck"))
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)

    async def called() -> bool:
        return (await shop.order(checkout)).checkout_state is CheckoutState.NEEDS_OPERATOR

    await until(called)
    return checkout


async def test_a_resumed_undo_is_tried_at_once_and_the_checkout_ends(shop: Shop) -> None:
    checkout = await stuck(shop)
    shop.faults.heal("payments.void")
    assert await OrderChangeWorkflows(shop.client, PATIENCE).resume(workflow_id_of(checkout.order_id))
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.REJECTED)


async def test_what_an_operator_has_settled_counts_as_done_and_says_so(shop: Shop) -> None:
    checkout = await stuck(shop)
    resolution = Resolution(note="voided at the provider's desk", by="staff-1")
    assert await OrderChangeWorkflows(shop.client, PATIENCE).resolve(
        workflow_id_of(checkout.order_id), resolution
    )
    await shop.handle(checkout).result()
    order = await shop.order(checkout)
    assert order.state is OrderState.REJECTED
    [void] = [step for step in order.steps if step.name is StepName.VOID_PAYMENT]
    assert (void.state, void.detail) == ("completed", "staff-1: voided at the provider's desk")
    assert (await shop.stock()).reserved == 0


async def test_a_resolution_covers_only_what_keeps_failing(shop: Shop) -> None:
    """Said too early it settles nothing: the undo is carried out."""
    gate = shop.faults.hold_before("payments.void")
    shop.faults.fail_before("orders.confirm", refusal())
    checkout = await shop.stopped_at(gate)
    resolution = Resolution(note="too early", by="staff-1")
    await OrderChangeWorkflows(shop.client, PATIENCE).resolve(workflow_id_of(checkout.order_id), resolution)
    gate.opened.set()
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.REJECTED)
