"""Inventory's rules, for any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import FieldProblem
from contracts.inventory import StockLine
from services.inventory import rules
from services.inventory.errors import BelowReserved

SKUS = st.sampled_from([f"SKU-{number}" for number in range(8)])
LINES = st.builds(StockLine, sku=SKUS, quantity=st.integers(1, 999))
UNITS = st.integers(0, 10_000)


@given(st.lists(LINES))
def test_merging_loses_no_unit(lines: list[StockLine]) -> None:
    wanted = rules.merged(lines)
    assert wanted == {
        sku: sum(line.quantity for line in lines if line.sku == sku) for sku in {line.sku for line in lines}
    }


@given(st.lists(LINES).flatmap(lambda lines: st.tuples(st.just(lines), st.permutations(lines))))
def test_every_cart_with_the_same_lines_locks_in_the_same_order(
    carts: tuple[list[StockLine], list[StockLine]],
) -> None:
    one, other = (list(rules.merged(cart)) for cart in carts)
    assert one == other == sorted(one)


@given(st.dictionaries(SKUS, st.integers(1, 999), min_size=1), st.dictionaries(SKUS, UNITS))
def test_a_refusal_names_exactly_the_short_lines(wanted: dict[str, int], available: dict[str, int]) -> None:
    assert rules.out_of_stock(wanted, available).errors == tuple(
        FieldProblem(at=sku, message=f"{quantity} wanted, {available.get(sku, 0)} available")
        for sku, quantity in wanted.items()
        if quantity > available.get(sku, 0)
    )


@given(on_hand=UNITS, reserved=UNITS, delta=st.integers(-10_000, 10_000))
def test_an_adjustment_is_exact_or_refused(on_hand: int, reserved: int, delta: int) -> None:
    if on_hand + delta >= reserved:
        assert rules.adjusted(on_hand, reserved, delta) == on_hand + delta
    else:
        with pytest.raises(BelowReserved):
            rules.adjusted(on_hand, reserved, delta)
