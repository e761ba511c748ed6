"""Carts' rules, for any cart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.inventory import StockLine
from contracts.money import MAX_QUANTITY, Money
from services.carts import rules
from services.carts.cart import Cart, Line
from services.carts.errors import PriceTooHigh

SKUS = st.sampled_from([f"SKU-{number}" for number in range(8)])
QUANTITIES = st.integers(1, MAX_QUANTITY)
LINE_SETS = st.dictionaries(SKUS, QUANTITIES)
PRICES = st.integers(0, rules.MAX_UNIT_PRICE)


def cart_of(lines: tuple[Line, ...]) -> Cart:
    return Cart(id="c", owner=None, currency="EUR", version=0, generation=0, lines=lines)


@given(st.lists(st.tuples(PRICES, QUANTITIES), max_size=rules.MAX_LINES))
def test_the_total_is_the_sum_of_its_lines(amounts: list[tuple[int, int]]) -> None:
    lines = tuple(
        Line(sku=f"S{number}", title="", quantity=quantity, unit_price=Money(amount=price, currency="EUR"))
        for number, (price, quantity) in enumerate(amounts)
    )
    total = rules.cart_total(cart_of(lines))
    assert total.amount == sum(price * quantity for price, quantity in amounts)


def test_the_total_of_the_dearest_cart_is_exact() -> None:
    line = Line(
        sku="S",
        title="",
        quantity=MAX_QUANTITY,
        unit_price=Money(amount=rules.MAX_UNIT_PRICE, currency="EUR"),
    )
    total = rules.cart_total(cart_of((line,) * rules.MAX_LINES))
    assert total.amount == rules.MAX_UNIT_PRICE * MAX_QUANTITY * rules.MAX_LINES


@pytest.mark.parametrize("amount", [-1, rules.MAX_UNIT_PRICE + 1])
def test_a_price_that_no_cart_can_add_up_is_refused(amount: int) -> None:
    with pytest.raises(PriceTooHigh):
        rules.checked_price("S", Money(amount=amount, currency="EUR"))


@given(LINE_SETS, LINE_SETS)
def test_merging_does_not_care_which_cart_comes_first(left: dict[str, int], right: dict[str, int]) -> None:
    assert rules.merged(left, right) == rules.merged(right, left)


@given(LINE_SETS, LINE_SETS, LINE_SETS)
def test_merging_does_not_care_about_the_order_of_merges(
    first: dict[str, int], second: dict[str, int], third: dict[str, int]
) -> None:
    left = rules.merged(rules.merged(first, second), third)
    assert left == rules.merged(first, rules.merged(second, third))


@given(LINE_SETS)
def test_merging_an_empty_cart_changes_nothing(lines: dict[str, int]) -> None:
    assert rules.merged(lines, {}) == lines


@given(LINE_SETS, LINE_SETS)
def test_a_merged_quantity_stays_within_the_limit(left: dict[str, int], right: dict[str, int]) -> None:
    assert all(0 < quantity <= MAX_QUANTITY for quantity in rules.merged(left, right).values())


@given(LINE_SETS)
def test_buying_all_of_a_cart_empties_it(lines: dict[str, int]) -> None:
    assert rules.settled(lines, lines) == {}


@given(LINE_SETS, LINE_SETS)
def test_what_was_not_bought_stays(held: dict[str, int], bought: dict[str, int]) -> None:
    left = rules.settled(held, bought)
    assert all(left.get(sku, 0) == max(0, held[sku] - bought.get(sku, 0)) for sku in held)


@given(LINE_SETS, LINE_SETS)
def test_settling_never_adds_and_leaves_no_empty_line(held: dict[str, int], bought: dict[str, int]) -> None:
    left = rules.settled(held, bought)
    assert all(0 < quantity <= held[sku] for sku, quantity in left.items())


@given(st.lists(st.tuples(SKUS, QUANTITIES)))
def test_units_of_a_sku_that_is_bought_twice_add_up(lines: list[tuple[str, int]]) -> None:
    counted = rules.units(StockLine(sku=sku, quantity=quantity) for sku, quantity in lines)
    assert counted == {
        sku: sum(quantity for other, quantity in lines if other == sku) for sku in {sku for sku, _ in lines}
    }
