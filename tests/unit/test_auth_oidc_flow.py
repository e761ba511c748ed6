"""A sign-in in a browser's keeping."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.auth.errors import OidcStateInvalid
from services.auth.oidc_flow import LIFETIME, Flow, FlowSeal

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SEAL = FlowSeal("secret")


def test_a_flow_is_opened_as_it_was_sealed() -> None:
    flow = Flow.begun("mock", START)
    assert SEAL.open(SEAL.seal(flow)) == flow


def test_a_flow_opens_in_another_process_with_the_same_secret_only() -> None:
    sealed = SEAL.seal(Flow.begun("mock", START))
    FlowSeal("secret").open(sealed)
    with pytest.raises(OidcStateInvalid):
        FlowSeal("another").open(sealed)


def test_a_sealed_flow_shows_nothing() -> None:
    flow = Flow.begun("mock", START)
    sealed = base64.urlsafe_b64decode(SEAL.seal(flow).get_secret_value() + "==")
    assert not any(secret.encode() in sealed for secret in (flow.state, flow.nonce, flow.verifier))
    assert flow.verifier not in repr(flow)


@pytest.mark.parametrize("value", ["", "nonsense", "é", "\0", "\ud800", "A" * 17, "A" * 4_000])
def test_what_we_did_not_seal_is_refused(value: str) -> None:
    with pytest.raises(OidcStateInvalid):
        SEAL.open(SecretStr(value))


def test_every_flow_has_secrets_of_its_own() -> None:
    one, other = Flow.begun("mock", START), Flow.begun("mock", START)
    assert len({one.state, one.nonce, one.verifier, other.state, other.nonce, other.verifier}) == 6


@pytest.mark.parametrize(
    ("provider", "later", "expected"),
    [
        ("mock", LIFETIME - timedelta(seconds=1), True),
        ("mock", LIFETIME, False),
        ("other", timedelta(), False),
    ],
)
def test_a_flow_ends_at_its_provider_and_in_time(provider: str, later: timedelta, expected: bool) -> None:
    flow = Flow.begun("mock", START)
    assert flow.ends_with(provider, flow.state, START + later) is expected


@pytest.mark.parametrize("state", ["", "another", "é", "\ud800"])
def test_a_flow_ends_with_its_own_state(state: str) -> None:
    assert not Flow.begun("mock", START).ends_with("mock", state, START)
