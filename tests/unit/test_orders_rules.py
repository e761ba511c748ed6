"""Orders' rules: what the buyer agreed to, what a key stands for, what is told of a checkout's steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.carts import CartLine, CartSnapshot
from contracts.checkout import Step, StepName, StepState
from contracts.errors import FieldProblem
from contracts.money import MixedCurrencies, Money
from contracts.products import Quote
from services.orders import rules
from services.orders.errors import CartChanged, EmptyCart, IdempotencyMismatch, MissingIdempotencyKey
from services.orders.order import KeyRecord, OrderLine
from tests.orders_samples import euros, order_line


def cart_of(*lines: OrderLine) -> CartSnapshot:
    return CartSnapshot(
        cart_ref="ref",
        owner=None,
        version=1,
        generation=0,
        currency="EUR",
        lines=tuple(
            CartLine(sku=line.sku, title=line.title, quantity=line.quantity, unit_price=line.unit_price)
            for line in lines
        ),
    )


def quote(sku: str, amount: int) -> Quote:
    return Quote(sku=sku, title="today's title", price=euros(amount), product_id="p1")


def priced(amount: int) -> tuple[OrderLine, ...]:
    """Two mugs at this price."""
    return (order_line("MUG", 2, euros(amount)),)


@pytest.mark.parametrize(
    ("seen", "quoted", "expected"),
    [
        (500, 500, None),
        (500, 500, euros(1000)),
        (500, 600, euros(1200)),
        (500, 400, euros(800)),
    ],
    ids=["nothing changed", "as expected", "the new, higher total is expected", "the new, lower one is"],
)
def test_a_price_that_the_buyer_has_seen_is_agreed(seen: int, quoted: int, expected: Money | None) -> None:
    assert rules.agreed_lines(priced(seen), priced(quoted), expected, "EUR") == priced(quoted)


@pytest.mark.parametrize(
    ("seen", "quoted", "expected"),
    [
        (500, 600, None),
        (500, 400, None),
        (500, 600, euros(1000)),
        (500, 600, euros(1100)),
        (500, 500, euros(999)),
        (500, 500, Money(amount=1000, currency="USD")),
    ],
    ids=[
        "dearer, unseen",
        "cheaper, unseen",
        "dearer than expected",
        "neither total is expected",
        "another total is expected",
        "another currency is expected",
    ],
)
def test_a_price_that_the_buyer_has_not_seen_is_refused(
    seen: int, quoted: int, expected: Money | None
) -> None:
    with pytest.raises(CartChanged) as refused:
        rules.agreed_lines(priced(seen), priced(quoted), expected, "EUR")
    assert refused.value.code == "checkout.cart_changed"


def test_a_refusal_names_the_lines_whose_price_changed() -> None:
    mug, pot, dearer = order_line("MUG"), order_line("POT"), order_line("POT", price=euros(501))
    with pytest.raises(CartChanged) as refused:
        rules.agreed_lines((mug, pot), (mug, dearer), None, "EUR")
    assert refused.value.errors == (FieldProblem(at="POT", message="was 5.00 EUR, is 5.01 EUR"),)


def test_prices_that_changed_while_their_sum_did_not_are_refused_if_nobody_named_it() -> None:
    seen = (order_line("MUG", 1, euros(500)), order_line("POT", 1, euros(700)))
    quoted = (order_line("MUG", 1, euros(700)), order_line("POT", 1, euros(500)))
    with pytest.raises(CartChanged):
        rules.agreed_lines(seen, quoted, None, "EUR")
    assert rules.agreed_lines(seen, quoted, euros(1200), "EUR") == quoted


def test_lines_in_two_currencies_have_no_sum() -> None:
    dollars = order_line("POT", price=Money(amount=1, currency="USD"))
    with pytest.raises(MixedCurrencies):
        rules.sum_of([order_line("MUG"), dollars], "EUR")


def test_an_empty_cart_makes_no_order() -> None:
    with pytest.raises(EmptyCart):
        rules.lines_as_seen(cart_of())
    with pytest.raises(EmptyCart):
        rules.lines_as_quoted(cart_of(), [])


def test_a_quote_changes_the_price_and_nothing_else() -> None:
    mug, pot = order_line("MUG", 3), order_line("POT", 1)
    quoted = rules.lines_as_quoted(cart_of(mug, pot), [quote("POT", 2), quote("MUG", 1), quote("CUP", 9)])
    assert quoted == (
        mug.model_copy(update={"unit_price": euros(1)}),
        pot.model_copy(update={"unit_price": euros(2)}),
    )


def test_what_is_no_longer_sold_is_named() -> None:
    cart = cart_of(order_line("MUG"), order_line("POT"), order_line("CUP"))
    with pytest.raises(CartChanged) as refused:
        rules.lines_as_quoted(cart, [quote("POT", 500)])
    assert refused.value.errors == (
        FieldProblem(at="MUG", message="no longer sold"),
        FieldProblem(at="CUP", message="no longer sold"),
    )


@pytest.mark.parametrize("key", ["k", "k" * 255, "a key with spaces"])
def test_a_key_is_any_text_of_a_bounded_length(key: str) -> None:
    assert rules.valid_key(key) == key


@pytest.mark.parametrize("key", [None, "", "k" * 256])
def test_no_key_is_no_checkout(key: str | None) -> None:
    with pytest.raises(MissingIdempotencyKey) as refused:
        rules.valid_key(key)
    assert refused.value.code == "idempotency.missing"


def test_a_key_is_refused_for_another_request() -> None:
    record = KeyRecord("customer:ada", "key", "fingerprint", "order", None, None)
    rules.check_fingerprint(record, "fingerprint")
    with pytest.raises(IdempotencyMismatch):
        rules.check_fingerprint(record, "another")


STEPS = st.builds(Step, name=st.sampled_from(StepName), state=st.sampled_from(StepState))
RUNS = st.lists(STEPS, unique_by=lambda step: step.name)


@given(RUNS, RUNS)
def test_a_later_run_tells_of_what_it_began_and_the_earlier_of_the_rest(
    stored: list[Step], newer: list[Step]
) -> None:
    merged = {step.name: step for step in rules.merged_steps(stored, newer)}
    earlier = {step.name: step for step in stored}
    later = {step.name: step for step in newer}
    assert merged.keys() == earlier.keys() | later.keys()
    for name, step in merged.items():
        began = name in later and later[name].state is not StepState.WAITING
        assert step == (later[name] if began or name not in earlier else earlier[name])


@given(RUNS)
def test_storing_the_same_run_twice_changes_nothing(run: list[Step]) -> None:
    assert rules.merged_steps(run, run) == tuple(run)
