"""What the steps answer to a workflow."""

from temporalio.testing import ActivityEnvironment

from activities.payments import PaymentsActivities
from contracts.checkout import StepDone
from contracts.payments import (
    AuthorizationState,
    AuthorizePayment,
    CapturePayment,
    GiveBackPayment,
    RefundPayment,
    VoidPayment,
)
from services.payments.tables import PaymentState
from tests.stores.payments_till import ASKING, PRICE, Till, euros, new_order_id


async def test_an_authorisation_tells_whether_the_buyer_has_to_act(till: Till) -> None:
    steps, environment = PaymentsActivities(till.payments), ActivityEnvironment()
    held = await environment.run(
        steps.authorize, AuthorizePayment(order_id=new_order_id(), amount=PRICE, token="tok_ok")
    )
    assert (held.state, held.action_url, held.attempts) == (AuthorizationState.HELD, None, 1)
    command = AuthorizePayment(order_id=new_order_id(), amount=PRICE, token=ASKING)
    waiting = await environment.run(steps.authorize, command)
    assert waiting.state is AuthorizationState.ACTION_REQUIRED
    assert waiting.action_url is not None
    await till.act(waiting.action_url, "approve")
    assert (await environment.run(steps.authorize, command)).state is AuthorizationState.HELD


async def test_every_other_step_does_what_it_is_called(till: Till) -> None:
    steps, environment = PaymentsActivities(till.payments), ActivityEnvironment()
    order_id = new_order_id()
    await till.authorize(order_id)
    done = StepDone(attempts=1)
    refund = RefundPayment(order_id=order_id, amount=euros(300), key="part")
    assert await environment.run(steps.capture, CapturePayment(order_id=order_id)) == done
    assert await environment.run(steps.refund, refund) == done
    assert await environment.run(steps.give_back, GiveBackPayment(order_id=order_id)) == done
    payment, _ = await till.payments.payment_of(order_id)
    assert (payment.captured, payment.refunded) == (1000, 1000)
    other = new_order_id()
    assert await environment.run(steps.void, VoidPayment(order_id=other)) == done
    assert await till.state(other) is PaymentState.VOIDED
