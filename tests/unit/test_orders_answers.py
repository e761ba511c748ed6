"""What a checkout's client is answered: every step whole, and nothing else that says nothing."""

import json
from typing import Any

from api.orders.answers import final_answer, still_running
from api.orders.views import CheckoutView
from contracts.checkout import CheckoutState, Step, StepName
from contracts.orders import OrderState
from tests.orders_samples import NOON, new_order

STEPS = (Step(name=StepName.RESERVE_STOCK),)
WHOLE = {"name", "state", "attempts", "started_at", "finished_at", "detail"}
ALWAYS = {"id", "order_id", "state", "steps", "total"}


def is_whole(checkout: Any) -> bool:
    return bool(checkout.keys() == ALWAYS and checkout["steps"][0].keys() == WHOLE)


def test_the_answer_that_is_stored_tells_all_of_a_step() -> None:
    answer = final_answer(new_order(state=OrderState.CONFIRMED, steps=STEPS, ended_at=NOON))
    assert answer is not None
    status, body = answer
    assert status == 201
    assert is_whole(json.loads(body))


def test_so_does_the_answer_of_one_that_still_runs() -> None:
    response = still_running(new_order(), STEPS, None)
    assert is_whole(json.loads(bytes(response.body)))


def test_nothing_is_stored_before_the_steps_are() -> None:
    assert final_answer(new_order(state=OrderState.CONFIRMED)) is None


def test_the_first_answer_is_what_is_looked_up_later() -> None:
    order = new_order(state=OrderState.CONFIRMED, steps=STEPS, ended_at=NOON)
    answer = final_answer(order)
    assert answer is not None
    looked_up = CheckoutView.of(order, order.steps).model_dump(mode="json")
    assert json.loads(answer[1]) == looked_up
    assert looked_up["state"] == CheckoutState.CONFIRMED
