import json
from datetime import UTC, datetime
from typing import Literal

import pytest

from sandbox.psp import rules
from sandbox.psp.errors import RefusalError
from sandbox.psp.models import Act, Authorization, Authorize, Entry, Kind, Part, Void
from sandbox.psp.settings import Settings, SettingsError

NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE = "http://psp.test"
CALL = rules.Call("key-1", "/v1/authorizations", "print", NOW)


def wanted(token: str = "tok_ok", amount: int = 1000) -> Authorize:
    return Authorize(amount=amount, currency="EUR", token=token, reference="order-1")


def authorized(token: str = "tok_ok") -> Authorization:
    return rules.opened(rules.authorize(CALL, wanted(token), "auth_1", BASE), "auth_1")


def after(authorization: Authorization, entry: Entry) -> Authorization:
    assert entry.status == 200
    moved = rules.moved(authorization, entry.kind, entry.amount)
    assert Authorization.model_validate_json(entry.body) == moved, "the answer and the effect diverge"
    return moved


def code(entry: Entry) -> str:
    return str(json.loads(entry.body)["error"]["code"])


@pytest.mark.parametrize("token", ["tok_ok", "tok_timeout", "tok_error_once", "tok_slow"])
def test_a_good_token_is_authorized(token: str) -> None:
    entry = rules.authorize(CALL, wanted(token), "auth_1", BASE)
    assert (entry.kind, entry.status) == (Kind.AUTHORIZED, 201)
    assert json.loads(entry.body) == {
        "id": "auth_1",
        "status": "authorized",
        "amount": 1000,
        "currency": "EUR",
        "captured": 0,
        "refunded": 0,
        "reference": "order-1",
        "created_at": "2025-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    ("token", "expected"),
    [("tok_declined", "declined"), ("tok_insufficient_funds", "insufficient_funds")],
)
def test_a_bad_token_is_declined_with_its_code(token: str, expected: str) -> None:
    entry = rules.authorize(CALL, wanted(token), "auth_1", BASE)
    assert (entry.kind, entry.status, entry.decline_code) == (Kind.DECLINED, 402, expected)
    assert code(entry) == expected
    assert rules.opened(entry, "auth_1").status == "declined"


def test_an_unknown_token_is_refused() -> None:
    with pytest.raises(RefusalError) as refused:
        rules.must_be_known("tok_nonsense")
    assert (refused.value.status, refused.value.code) == (400, "unknown_token")


def test_a_capture_takes_everything_unless_told() -> None:
    assert after(authorized(), rules.capture(CALL, authorized(), None)).captured == 1000


def test_a_partial_capture_ends_the_authorization() -> None:
    captured = after(authorized(), rules.capture(CALL, authorized(), 400))
    assert (captured.status, captured.captured) == ("captured", 400)
    assert code(rules.capture(CALL, captured, 1)) == "wrong_state"


def test_no_more_is_captured_than_authorized() -> None:
    entry = rules.capture(CALL, authorized(), 1001)
    assert (entry.kind, entry.status, code(entry)) == (Kind.ANSWERED, 409, "amount_too_large")


def test_a_void_twice_is_one_void() -> None:
    voided = after(authorized(), rules.void(CALL, authorized()))
    again = rules.void(CALL, voided)
    assert (again.kind, again.amount) == (Kind.ANSWERED, 0)
    assert after(voided, again) == voided


@pytest.mark.parametrize("change", rules.CHANGES.values(), ids=rules.CHANGES.keys())
def test_nothing_moves_on_a_decline(change: rules.Change) -> None:
    declined = rules.opened(rules.authorize(CALL, wanted("tok_declined"), "auth_1", BASE), "auth_1")
    assert code(change(CALL, declined, None)) == "wrong_state"


def test_a_voided_one_is_not_captured_nor_refunded() -> None:
    voided = after(authorized(), rules.void(CALL, authorized()))
    assert code(rules.capture(CALL, voided, None)) == "wrong_state"
    assert code(rules.refund(CALL, voided, None)) == "wrong_state"


def test_a_captured_one_is_not_voided() -> None:
    captured = after(authorized(), rules.capture(CALL, authorized(), None))
    assert code(rules.void(CALL, captured)) == "wrong_state"


def test_refunds_add_up_to_what_was_captured() -> None:
    captured = after(authorized(), rules.capture(CALL, authorized(), 700))
    once = after(captured, rules.refund(CALL, captured, 300))
    assert code(rules.refund(CALL, once, 401)) == "amount_too_large"
    twice = after(once, rules.refund(CALL, once, None))
    assert (twice.status, twice.refunded) == ("captured", 700)
    assert code(rules.refund(CALL, twice, None)) == "wrong_state"
    assert code(rules.refund(CALL, twice, 1)) == "amount_too_large"


def test_an_uncaptured_one_is_not_refunded() -> None:
    assert code(rules.refund(CALL, authorized(), None)) == "wrong_state"


def test_a_buyer_who_has_to_act_is_sent_to_a_page() -> None:
    entry = rules.authorize(CALL, wanted("tok_action_required"), "auth_1", BASE)
    assert (entry.kind, entry.status) == (Kind.REQUIRES_ACTION, 201)
    waiting = rules.opened(entry, "auth_1")
    assert (waiting.status, waiting.action_url) == ("requires_action", f"{BASE}/v1/actions/auth_1")
    assert code(rules.capture(CALL, waiting, None)) == "wrong_state"


@pytest.mark.parametrize(
    ("outcome", "status", "decline_code"),
    [("approve", "authorized", None), ("decline", "declined", "authentication_failed")],
)
def test_the_buyers_act_decides_once(
    outcome: Literal["approve", "decline"], status: str, decline_code: str | None
) -> None:
    waiting, act = authorized("tok_action_required"), Act(outcome=outcome)
    entry = rules.act(CALL, waiting, act)
    assert entry is not None
    acted = after(waiting, entry)
    assert (acted.status, acted.decline_code, acted.action_url) == (status, decline_code, None)
    assert rules.act(CALL, acted, act) is None
    other = Act(outcome="decline" if outcome == "approve" else "approve")
    with pytest.raises(RefusalError, match=status):
        rules.act(CALL, acted, other)


def test_nothing_was_held_of_what_is_voided_before_the_buyer_acts() -> None:
    waiting = authorized("tok_action_required")
    entry = rules.void(CALL, waiting)
    voided = after(waiting, entry)
    assert (voided.status, entry.amount) == ("voided", 0)
    with pytest.raises(RefusalError) as refused:
        rules.act(CALL, voided, Act(outcome="approve"))
    assert (refused.value.status, refused.value.code) == (409, "wrong_state")


def test_a_capture_that_the_bank_refuses_succeeds_the_next_time() -> None:
    held = authorized("tok_capture_fails")
    refused = rules.capture(CALL, held, None)
    assert (refused.kind, refused.status, code(refused)) == (Kind.CAPTURE_DECLINED, 402, "capture_declined")
    again = rules.moved(held, refused.kind, refused.amount)
    assert (again.status, again.captured) == ("authorized", 0)
    assert after(again, rules.capture(CALL, again, None)).captured == 1000


def test_a_fingerprint_is_of_the_path_and_the_parameters() -> None:
    one = rules.fingerprint("/a", Part(amount=1))
    assert one == rules.fingerprint("/a", Part(amount=1))
    others = [rules.fingerprint("/b", Part(amount=1)), rules.fingerprint("/a", Part(amount=2))]
    assert one not in [*others, rules.fingerprint("/a", Part()), rules.fingerprint("/a", Void())]


def test_another_fingerprint_is_a_mismatch() -> None:
    rules.must_match("a", "a")
    with pytest.raises(RefusalError) as refused:
        rules.must_match("a", "b")
    assert (refused.value.status, refused.value.code) == (400, "idempotency_mismatch")


@pytest.mark.parametrize("environment", [{}, {"MICROMART_ENVIRONMENT": "production"}])
def test_without_a_key_only_development_starts(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="MICROMART_PSP_API_KEY"):
        Settings.read(environment)
    assert Settings.read(environment | {"MICROMART_PSP_API_KEY": "k"}).api_key == "k"
    assert Settings.read({"MICROMART_ENVIRONMENT": "development"}).api_key is None
