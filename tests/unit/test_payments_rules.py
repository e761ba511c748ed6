"""Payments' rules: what each state allows, and how much may be given back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import Money
from services.payments import rules
from services.payments.errors import (
    PaymentCaptured,
    PaymentDeclined,
    PaymentNotAuthorized,
    PaymentVoided,
    RefundExceedsCapture,
    RefundKeyReused,
)
from services.payments.movements import (
    authorize_key,
    capture_key,
    give_back_key,
    late_void_key,
    refund_key,
    void_key,
)
from services.payments.tables import PaymentState

STOPPED = {PaymentState.VOIDING, PaymentState.VOIDED}
TAKEN = {PaymentState.CAPTURING, PaymentState.CAPTURED}
AMOUNTS = st.integers(-10_000, 10_000)


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


@pytest.mark.parametrize("state", PaymentState)
def test_only_an_open_authorisation_asks_the_provider(state: PaymentState) -> None:
    if state is PaymentState.DECLINED:
        with pytest.raises(PaymentDeclined, match="insufficient funds"):
            rules.must_ask_provider(state, "insufficient_funds")
    elif state in STOPPED:
        with pytest.raises(PaymentVoided):
            rules.must_ask_provider(state, None)
    else:
        assert rules.must_ask_provider(state, None) is (state is PaymentState.AUTHORIZING)


@pytest.mark.parametrize("state", PaymentState)
def test_whatever_may_be_held_is_let_go(state: PaymentState) -> None:
    if state in TAKEN:
        with pytest.raises(PaymentCaptured):
            rules.must_void(state)
    else:
        assert rules.must_void(state) is (state not in (PaymentState.DECLINED, PaymentState.VOIDED))


@pytest.mark.parametrize("state", PaymentState)
def test_only_what_is_held_is_taken(state: PaymentState) -> None:
    if state in TAKEN or state is PaymentState.AUTHORIZED:
        assert rules.must_capture(state) is (state is not PaymentState.CAPTURED)
    else:
        with pytest.raises(PaymentNotAuthorized):
            rules.must_capture(state)


@given(amount=AMOUNTS, captured=st.integers(0, 10_000), spoken_for=st.integers(0, 10_000))
def test_a_refund_is_within_what_was_taken_or_refused(amount: int, captured: int, spoken_for: int) -> None:
    def check() -> None:
        rules.check_refund(
            PaymentState.CAPTURED,
            euros(amount),
            currency="EUR",
            captured=captured,
            spoken_for=min(spoken_for, captured),
        )

    if 0 < amount <= captured - min(spoken_for, captured):
        check()
    else:
        with pytest.raises(RefundExceedsCapture):
            check()


@pytest.mark.parametrize("state", [each for each in PaymentState if each is not PaymentState.CAPTURED])
def test_only_what_was_taken_is_given_back(state: PaymentState) -> None:
    with pytest.raises(RefundExceedsCapture):
        rules.check_refund(state, euros(1), currency="EUR", captured=10, spoken_for=0)


def test_a_refunds_key_names_one_amount() -> None:
    rules.check_refund_key(None, euros(1))
    rules.check_refund_key(euros(1), euros(1))
    with pytest.raises(RefundKeyReused):
        rules.check_refund_key(euros(1), euros(2))
    with pytest.raises(RefundKeyReused):
        rules.check_refund_key(euros(1), Money(amount=1, currency="USD"))


def test_a_reason_that_nobody_knows_is_a_decline_all_the_same() -> None:
    refused = rules.declined("some_new_reason")
    assert (refused.code, refused.detail) == ("payments.declined", "The card was declined.")


@pytest.mark.parametrize("state", PaymentState)
def test_nothing_may_be_held_once_a_payment_is_over(state: PaymentState) -> None:
    assert rules.nothing_may_be_held(state) is (state in (PaymentState.VOIDED, PaymentState.DECLINED))


def test_every_movement_of_an_order_has_a_key_of_its_own() -> None:
    keys = [
        authorize_key("o"),
        void_key("o"),
        late_void_key("o"),
        capture_key("o"),
        capture_key("o", 2),
        refund_key("o", "a"),
        refund_key("o", "b"),
        give_back_key("o"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("checkout-o:") for key in keys)
