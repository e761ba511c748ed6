"""Refusals wait once an address has had more than its share of them."""

import pytest

from api.gateway.tarpit import ADDRESSES, AT_ONCE, HELD_SECONDS, PER_SECOND, Tarpit

FLOODER, NEIGHBOUR = "192.0.2.1", "192.0.2.2"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tarpit(clock: Clock) -> Tarpit:
    return Tarpit(now=clock)


def flood(tarpit: Tarpit) -> None:
    while not tarpit.hold(FLOODER):
        pass


def test_a_burst_is_answered_at_once(tarpit: Tarpit) -> None:
    held = [tarpit.hold(FLOODER) > 0 for _ in range(2 * AT_ONCE)]
    assert held.count(False) == pytest.approx(AT_ONCE, abs=1)
    assert held == sorted(held)


def test_refusals_that_came_together_are_not_let_go_together(tarpit: Tarpit) -> None:
    flood(tarpit)
    held = [tarpit.hold(FLOODER) for _ in range(100)]
    assert len(set(held)) > 50
    assert min(held) >= HELD_SECONDS / 2
    assert max(held) <= HELD_SECONDS * 1.5


def test_a_neighbour_does_not_wait(tarpit: Tarpit) -> None:
    flood(tarpit)
    assert tarpit.hold(NEIGHBOUR) == 0.0


def test_a_household_cannot_choose_another_address_for_each_refusal(tarpit: Tarpit) -> None:
    held = [tarpit.hold(f"2001:db8:1:2::{number:x}") > 0 for number in range(2 * AT_ONCE)]
    assert held.count(False) == pytest.approx(AT_ONCE, abs=1)
    assert tarpit.hold("2001:db8:1:3::1") == 0.0


def test_what_was_held_back_makes_nobody_wait_longer(tarpit: Tarpit, clock: Clock) -> None:
    flood(tarpit)
    for _ in range(10 * AT_ONCE):
        tarpit.hold(FLOODER)
    clock.now += 1.0
    answered_at_once = [tarpit.hold(FLOODER) for _ in range(2 * PER_SECOND)].count(0.0)
    assert answered_at_once == pytest.approx(PER_SECOND, abs=1)


def test_addresses_cost_a_bounded_memory(tarpit: Tarpit) -> None:
    for number in range(ADDRESSES + 100):
        tarpit.hold(f"198.51.100.{number}")
    assert len(tarpit) == ADDRESSES
