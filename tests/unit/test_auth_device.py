import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.device import USER_AGENT_MAX_LENGTH, Device


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", None),
        ("203.0.113.7:80", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_kept_when_it_is_one(said: str | None, kept: str | None) -> None:
    assert Device.of(said, None).address == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [("Mozilla/5.0", "Mozilla/5.0"), ("a\0b\nc", "abc"), (" ", None), ("", None), (None, None)],
)
def test_a_name_is_kept_when_it_can_be_shown(said: str | None, kept: str | None) -> None:
    assert Device.of(None, said).user_agent == kept


@given(said=st.text(max_size=1_000))
def test_nothing_that_is_said_is_too_much(said: str) -> None:
    device = Device.of(said, said)
    assert len(device.user_agent or "") <= USER_AGENT_MAX_LENGTH
    assert len(device.address or "") <= 45
