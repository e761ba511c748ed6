"""Money's laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.money import MixedCurrencies, Money, total

LARGEST = 2**53
AMOUNTS = st.integers(-(10**9), 10**9)
EUROS = st.builds(Money, amount=AMOUNTS, currency=st.just("EUR"))


@given(st.lists(AMOUNTS))
def test_a_total_is_exact(amounts: list[int]) -> None:
    assert total((Money(amount=amount, currency="EUR") for amount in amounts), "EUR") == Money(
        amount=sum(amounts), currency="EUR"
    )


@given(st.lists(EUROS), st.lists(EUROS))
def test_a_total_of_totals_is_the_total(left: list[Money], right: list[Money]) -> None:
    assert total([total(left, "EUR"), total(right, "EUR")], "EUR") == total(left + right, "EUR")


@given(st.lists(EUROS).flatmap(lambda amounts: st.tuples(st.just(amounts), st.permutations(amounts))))
def test_a_total_does_not_care_about_the_order(amounts: tuple[list[Money], list[Money]]) -> None:
    assert total(amounts[0], "EUR") == total(amounts[1], "EUR")


@given(AMOUNTS, st.integers(0, 999))
def test_times_is_adding_it_up(amount: int, quantity: int) -> None:
    money = Money(amount=amount, currency="EUR")
    assert money.times(quantity) == total([money] * quantity, "EUR")


def test_the_total_of_nothing_is_zero() -> None:
    assert total([], "EUR") == Money(amount=0, currency="EUR")


@given(st.lists(EUROS), st.lists(EUROS))
def test_mixed_currencies_are_not_added(before: list[Money], after: list[Money]) -> None:
    with pytest.raises(MixedCurrencies):
        total([*before, Money(amount=0, currency="USD"), *after], "EUR")


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (1999, "19.99 EUR"),
        (5, "0.05 EUR"),
        (0, "0.00 EUR"),
        (-5, "-0.05 EUR"),
        (-1999, "-19.99 EUR"),
        (LARGEST, "90071992547409.92 EUR"),
    ],
)
def test_money_is_said_in_whole_units(amount: int, said: str) -> None:
    assert str(Money(amount=amount, currency="EUR")) == said


@pytest.mark.parametrize("amount", [19.99, 20.0, "2000", True, None, LARGEST + 1, -LARGEST - 1])
def test_an_amount_is_an_integer_that_every_json_reader_can_hold(amount: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "EUR"})


@pytest.mark.parametrize("currency", ["eur", "EURO", "EU", "", "E€R", "EUR\n", None])
def test_a_currency_is_three_capitals(currency: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": 1, "currency": currency})


def test_money_knows_no_other_fields() -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": 1, "currency": "EUR", "cents": 0})
