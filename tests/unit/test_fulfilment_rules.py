"""What can be done to a parcel, by where it is."""

from collections.abc import Callable

import pytest

from contracts.errors import DomainError
from contracts.fulfilment import ShipmentState
from services.fulfilment import rules

OPEN, SHIPPING, HELD = ShipmentState.OPEN, ShipmentState.SHIPPING, ShipmentState.HELD
SHIPPED, DELIVERED, STOPPED = ShipmentState.SHIPPED, ShipmentState.DELIVERED, ShipmentState.STOPPED
WRONG, TOO_LATE = "fulfilment.wrong_state", "fulfilment.already_shipping"


def answers(rule: Callable[[ShipmentState], bool]) -> dict[ShipmentState, bool | str]:
    """What the rule says to each state: whether there is something to do, or the code of its refusal."""

    def answer(state: ShipmentState) -> bool | str:
        try:
            return rule(state)
        except DomainError as refused:
            return refused.code

    return {state: answer(state) for state in ShipmentState}


def test_a_waiting_parcel_can_be_shipped() -> None:
    assert answers(lambda state: rules.must_request(state, same_parcel=False)) == {
        OPEN: True,
        HELD: True,
        SHIPPING: WRONG,
        SHIPPED: WRONG,
        DELIVERED: WRONG,
        STOPPED: WRONG,
    }


def test_the_same_request_again_changes_nothing_while_it_is_carried_out() -> None:
    assert answers(lambda state: rules.must_request(state, same_parcel=True)) == {
        OPEN: True,
        HELD: True,
        SHIPPING: False,
        SHIPPED: WRONG,
        DELIVERED: WRONG,
        STOPPED: WRONG,
    }


def test_a_parcel_can_be_stopped_until_it_is_shipped() -> None:
    assert answers(rules.must_stop) == {
        OPEN: True,
        HELD: True,
        SHIPPING: TOO_LATE,
        SHIPPED: TOO_LATE,
        DELIVERED: TOO_LATE,
        STOPPED: False,
    }


def test_a_parcel_that_is_being_shipped_can_be_held() -> None:
    assert answers(rules.must_hold) == {
        OPEN: WRONG,
        HELD: False,
        SHIPPING: True,
        SHIPPED: WRONG,
        DELIVERED: WRONG,
        STOPPED: WRONG,
    }


def test_only_what_was_to_be_shipped_is_shipped() -> None:
    assert answers(rules.must_finish) == {
        OPEN: WRONG,
        HELD: WRONG,
        SHIPPING: True,
        SHIPPED: False,
        DELIVERED: False,
        STOPPED: WRONG,
    }


def test_only_what_was_shipped_is_delivered() -> None:
    assert answers(rules.must_deliver) == {
        OPEN: WRONG,
        HELD: WRONG,
        SHIPPING: WRONG,
        SHIPPED: True,
        DELIVERED: False,
        STOPPED: WRONG,
    }


def test_the_staff_is_reminded_of_what_waits_for_it() -> None:
    assert answers(lambda state: rules.must_remind(state, reminders=0, times=1)) == {
        OPEN: True,
        HELD: True,
        SHIPPING: False,
        SHIPPED: False,
        DELIVERED: False,
        STOPPED: False,
    }


@pytest.mark.parametrize(("reminders", "times", "told"), [(0, 1, True), (1, 1, False), (2, 1, False)])
def test_the_staff_is_reminded_once_for_each_count(reminders: int, times: int, told: bool) -> None:
    assert rules.must_remind(OPEN, reminders=reminders, times=times) is told
