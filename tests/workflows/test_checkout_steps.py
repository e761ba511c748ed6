"""A running checkout's steps as an operator and a front end see them, whoever of ours is alive."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from api.orders.desk import CheckoutDesk
from contracts.checkout import FORWARD_STEPS, Checkout, Step, StepName, StepState
from contracts.errors import Unavailable
from runtime.temporal import connect
from services.orders.factory import open_orders_parts
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.ports import free_port
from tests.psp_process import Psp
from tests.workflows import test_checkout_histories as endings
from tests.workflows.faults import refusal
from tests.workflows.saved import FOLDER
from tests.workflows.shop import Shop, open_shop
from tests.workflows.test_checkout_actions import waiting
from tests.workflows.test_checkout_crashes import orders_worker
from tests.workflows.test_checkout_operator import stuck
from workflows.checkout_history import CheckoutHistory
from workflows.checkouts import Checkouts

RESERVE, AUTHORIZE, CONFIRM = FORWARD_STEPS

CHECKOUTS = sorted((FOLDER / "checkout").glob("*.json"))


@pytest.fixture
async def unpaid(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Shop]:
    """A shop whose payments worker is away."""
    async with open_shop(servers, fresh_database, psp, payments_worker=False) as shop:
        yield shop


@pytest.fixture
async def unattended(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Shop]:
    """A shop whose orders worker the test starts itself."""
    async with open_shop(servers, fresh_database, psp, orders_worker=False) as shop:
        yield shop


async def shown(shop: Shop, checkout: Checkout) -> dict[StepName, Step]:
    return {step.name: step for step in await shop.checkouts.running_steps(checkout.order_id)}


async def shown_once(
    shop: Shop, checkout: Checkout, seen: Callable[[dict[StepName, Step]], bool]
) -> dict[StepName, Step]:
    """The steps as soon as they look like this."""

    async def is_so() -> bool:
        return seen(await shown(shop, checkout))

    await until(is_so)
    return await shown(shop, checkout)


def assert_done(step: Step) -> None:
    assert (step.state, step.attempts, step.detail) == (StepState.COMPLETED, 1, None)
    assert step.started_at is not None
    assert step.finished_at is not None
    assert step.started_at <= step.finished_at


async def test_a_step_whose_worker_is_away_says_so(unpaid: Shop) -> None:
    checkout = await unpaid.placed()
    await unpaid.checkouts.start(checkout)
    steps = await shown_once(unpaid, checkout, lambda steps: steps[AUTHORIZE].state is StepState.RUNNING)
    assert_done(steps[RESERVE])
    assert steps[AUTHORIZE].detail == "no worker of the payments queue has taken it up yet"
    assert steps[AUTHORIZE].started_at is not None
    assert steps[CONFIRM] == Step(name=CONFIRM)


async def test_a_step_under_way_shows_its_attempt_and_nothing_else(shop: Shop) -> None:
    gate = shop.faults.hold_before("payments.authorize")
    steps = await shown(shop, await shop.stopped_at(gate))
    gate.opened.set()
    assert_done(steps[RESERVE])
    authorize = steps[AUTHORIZE]
    assert (authorize.state, authorize.attempts, authorize.detail) == (StepState.RUNNING, 1, None)
    assert authorize.started_at is not None
    assert authorize.finished_at is None
    assert steps[CONFIRM] == Step(name=CONFIRM)


async def test_a_step_that_fails_and_is_tried_again_shows_the_code_of_its_last_failure(shop: Shop) -> None:
    shop.faults.always_fail("payments.authorize", Unavailable("postgresql://payments:a-secret@db is away"))
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)
    steps = await shown_once(shop, checkout, lambda steps: steps[AUTHORIZE].attempts > 2)
    assert (steps[AUTHORIZE].state, steps[AUTHORIZE].detail) == (StepState.RUNNING, "service.unavailable")
    assert_done(steps[RESERVE])


async def test_what_is_under_way_inside_the_orders_worker_is_shown_as_running(shop: Shop) -> None:
    gate = shop.faults.hold_before("orders.confirm")
    steps = await shown(shop, await shop.stopped_at(gate))
    gate.opened.set()
    assert_done(steps[AUTHORIZE])
    assert steps[CONFIRM].state is StepState.RUNNING
    assert steps[CONFIRM].started_at is not None


async def test_with_the_orders_worker_gone_what_was_done_is_shown_and_what_waits_says_for_whom(
    unattended: Shop,
) -> None:
    shop = unattended
    gate = shop.faults.hold_before("payments.authorize")
    async with orders_worker(shop):
        checkout = await shop.stopped_at(gate)
    gate.opened.set()
    steps = await shown_once(shop, checkout, lambda steps: steps[CONFIRM].detail is not None)
    assert_done(steps[RESERVE])
    assert_done(steps[AUTHORIZE])
    assert (steps[CONFIRM].state, steps[CONFIRM].started_at) == (StepState.WAITING, None)
    assert steps[CONFIRM].detail == "no worker of the orders queue has taken it up yet"


async def test_a_checkout_that_no_orders_worker_has_begun_is_a_plan_that_waits(unattended: Shop) -> None:
    checkout = await unattended.placed()
    await unattended.checkouts.start(checkout)
    steps = await shown(unattended, checkout)
    assert {step.state for step in steps.values()} == {StepState.WAITING}
    assert steps[RESERVE].detail == "no worker of the orders queue has taken it up yet"
    assert steps[AUTHORIZE] == Step(name=AUTHORIZE)


async def test_an_undo_under_way_stands_behind_the_step_that_was_refused(shop: Shop) -> None:
    gate = shop.faults.hold_before("payments.void")
    shop.faults.fail_before("orders.confirm", refusal("test.refused"))
    checkout = await shop.stopped_at(gate)
    steps = await shown_once(
        shop, checkout, lambda steps: steps[StepName.RELEASE_STOCK].state is StepState.COMPLETED
    )
    gate.opened.set()
    assert list(steps) == [*FORWARD_STEPS, StepName.VOID_PAYMENT, StepName.RELEASE_STOCK]
    assert (steps[CONFIRM].state, steps[CONFIRM].detail) == (StepState.REFUSED, "test.refused")
    assert_done(steps[StepName.RELEASE_STOCK])
    void = steps[StepName.VOID_PAYMENT]
    assert (void.state, void.attempts) == (StepState.RUNNING, 1)


async def test_an_undo_that_keeps_failing_is_shown_with_its_code(shop: Shop) -> None:
    checkout = await stuck(shop)
    void = (await shown(shop, checkout))[StepName.VOID_PAYMENT]
    assert (void.state, void.detail) == (StepState.FAILING, "payments.test_stuck")
    assert void.started_at is not None


async def test_a_step_that_is_left_behind_is_shown_as_interrupted_while_it_is_undone(shop: Shop) -> None:
    held = shop.faults.hold_before("payments.void")
    gate = shop.faults.hold_before("payments.authorize")
    checkout = await shop.stopped_at(gate)
    await shop.cancel(checkout)
    await held.reached.wait()
    steps = await shown(shop, checkout)
    gate.opened.set()
    held.opened.set()
    assert steps[AUTHORIZE].state is StepState.INTERRUPTED
    assert steps[AUTHORIZE].finished_at is not None
    assert steps[CONFIRM] == Step(name=CONFIRM)


async def test_a_checkout_that_was_terminated_is_not_shown_as_running(shop: Shop) -> None:
    gate = shop.faults.hold_before("payments.authorize")
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).terminate("by hand")
    steps = await shown(shop, checkout)
    gate.opened.set()
    assert_done(steps[RESERVE])
    assert steps[AUTHORIZE].state is StepState.INTERRUPTED


async def test_while_the_buyer_has_to_act_the_authorisation_runs_and_says_so(shop: Shop) -> None:
    checkout, _ = await waiting(shop)
    steps = await shown(shop, checkout)
    assert_done(steps[RESERVE])
    assert (steps[AUTHORIZE].state, steps[AUTHORIZE].finished_at) == (StepState.RUNNING, None)
    assert steps[AUTHORIZE].detail == "the buyer has to act at the provider"
    assert steps[CONFIRM] == Step(name=CONFIRM)


async def settled(shop: Shop) -> Checkout:
    """A checkout whose void failed again and again until it was done."""
    checkout = await stuck(shop)
    shop.faults.heal("payments.void")
    await shop.handle(checkout).signal("resume")
    await shop.handle(checkout).result()
    return checkout


async def resolved(shop: Shop) -> Checkout:
    """A checkout whose void somebody has settled by hand."""
    checkout = await stuck(shop)
    await shop.handle(checkout).signal("resolve", {"note": "by telephone", "by": "staff-1"})
    await shop.handle(checkout).result()
    return checkout


@pytest.mark.parametrize(
    "ending",
    [
        endings.confirmed,
        endings.declined,
        endings.cancelled,
        endings.expired,
        endings.taken_over,
        endings.waited,
        settled,
        resolved,
    ],
)
async def test_what_the_history_tells_is_what_the_workflow_stores(
    shop: Shop, ending: Callable[[Shop], Awaitable[Checkout]]
) -> None:
    checkout = await ending(shop)
    await shop.handle(checkout).result()

    def told(steps: tuple[Step, ...]) -> list[tuple[StepName, StepState, str | None, bool, bool]]:
        return [
            (step.name, step.state, step.detail, step.started_at is None, step.finished_at is None)
            for step in steps
        ]

    stored = (await shop.order(checkout)).steps
    assert told(await shop.checkouts.running_steps(checkout.order_id)) == told(stored)


@pytest.mark.parametrize(
    "saved", [path.read_text() for path in CHECKOUTS], ids=[path.stem for path in CHECKOUTS]
)
async def test_a_history_that_was_read_in_part_tells_of_what_it_has(saved: str) -> None:
    """What has ended once stays so, however much of the history is read."""
    history, nothing_under_way = CheckoutHistory(pydantic_data_converter), DescribeWorkflowExecutionResponse()
    over: set[Step] = set()
    for event in WorkflowHistory.from_json("checkout-saved", saved).events:
        await history.read(event)
        steps = set(history.steps(nothing_under_way))
        assert over <= steps
        over = {step for step in steps if step.finished_at is not None}
    assert over


async def test_with_temporal_away_the_row_tells_what_it_knows(shop: Shop) -> None:
    checkout, _ = await waiting(shop)
    plain = await shop.placed()
    nowhere = shop.settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})
    away = Checkouts(await connect(nowhere, lazy=True))
    async with open_orders_parts(shop.settings) as parts:
        desk = CheckoutDesk(parts, away, shop.settings)
        assert [(step.name, step.state) for step in await desk.steps_of(await shop.order(checkout))] == [
            (RESERVE, StepState.COMPLETED),
            (AUTHORIZE, StepState.RUNNING),
            (CONFIRM, StepState.WAITING),
        ]
        assert await desk.steps_of(await shop.order(plain)) == ()
