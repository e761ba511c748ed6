"""A card whose bank asks its owner first: the checkout waits, and goes on when the provider says so."""

from datetime import datetime

from api.orders.views import CheckoutView
from cli.demo.checkouts import WatchedCheckout
from cli.demo.stage import MINE, Stage
from contracts.carts import CART_SETTLED
from contracts.checkout import CheckoutState, StepName
from contracts.fulfilment import SHIPMENT_OPENED
from contracts.orders import ORDER_CONFIRMED
from contracts.payments import PAYMENT_ACTION_REQUIRED, PAYMENT_AUTHORIZED, PROVIDER_REPORTED
from runtime.clock import utc_now


async def ask_the_owner(stage: Stage) -> WatchedCheckout:
    """202 with the bank's page; the buyer approves there; the provider's webhook lets the checkout go on."""
    stage.title("A card whose bank asks its owner first")
    need, check = stage.findings.need, stage.findings.check
    cart = await stage.fill(MINE)
    asked: list[str] = []
    acted: list[datetime] = []
    approved: list[int] = []

    async def approve(waiting: CheckoutView, url: str) -> None:
        order = await stage.shop.order(waiting.order_id)
        asked.append(f"{order.state}, payment {order.payment.state}")
        await _first_word_heard(stage)
        acted.append(utc_now())
        approved.append(await stage.provider.approve(url))

    seen = await stage.place("tok_action_required", acts=approve)
    need(
        seen.reply.status == 202,
        f"202 after {seen.answered_ms} ms: next_action is the bank's page",
        seen.reply,
    )
    check(asked == ["pending, payment action_required"], "until then: payment action_required", asked)
    check(approved == [200], "the buyer approves there", approved)
    state = seen.checkout.state if seen.checkout is not None else None
    need(state is CheckoutState.CONFIRMED, "the checkout went on by itself: confirmed", state)
    stage.check_steps(seen)
    told = await stage.events.follow(
        seen.order_id,
        since=PAYMENT_ACTION_REQUIRED,
        until=(PROVIDER_REPORTED, PAYMENT_AUTHORIZED, ORDER_CONFIRMED, CART_SETTLED, SHIPMENT_OPENED),
    )
    reported = [one for one in told if one.event.type == PROVIDER_REPORTED and one.event.time >= acted[0]]
    held = next(one for one in told if one.event.type == PAYMENT_AUTHORIZED)
    check(
        any(report.event.time <= held.event.time for report in reported),
        f"the provider's webhook told of the yes, then {StepName.AUTHORIZE_PAYMENT} asked what is true",
        [f"{one.event.type} {one.event.time:%H:%M:%S.%f}" for one in told],
    )
    await stage.check_charged_once(seen, cart.total)
    return seen


async def _first_word_heard(stage: Stage) -> None:
    """The provider tells of the waiting too, and is asked because of it: a buyer is slower than that."""
    steps = stage.checkouts.placed[-1].steps

    async def asked_again() -> bool:
        return [step.name for step in steps].count(StepName.AUTHORIZE_PAYMENT) > 1

    await stage.awaited(asked_again, True)
