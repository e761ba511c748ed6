"""A webhook's signature: only the holder of the secret, only just now, only these bytes."""

from datetime import UTC, datetime, timedelta

import pytest

from services.payments.errors import ForgedWebhook
from services.payments.signature import check_signature
from tests.provider_reports import digest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT = int(NOW.timestamp())
BODY = b'{"id": "evt_1"}'
GOOD = digest(BODY, "secret", AT)


def check(header: str, body: bytes = BODY, now: datetime = NOW) -> None:
    check_signature(header, body, secret="secret", now=now, tolerance_seconds=300)


@pytest.mark.parametrize(
    "header",
    [
        f"t={AT},v1={GOOD}",
        f"v1={GOOD},t={AT}",
        f"t={AT}, v1={GOOD}",
        f"t={AT},v1={'0' * 64},v1={GOOD}",
        f"t={AT},v0=old,v1={GOOD}",
    ],
)
def test_a_good_signature_holds(header: str) -> None:
    check(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"t={AT}",
        f"v1={GOOD}",
        f"t={AT},v1=",
        f"t={AT},v1={GOOD.upper()}",
        f"t={AT},v1={GOOD[:-1]}",
        f"t={AT},v1={'ü' * 64}",
        f"t={AT},v0={GOOD}",
        f"t={AT + 1},v1={GOOD}",
        f"t={AT},t={AT},v1={GOOD}",
        f"t=,v1={GOOD}",
        f"t=-1,v1={GOOD}",
        f"t={'9' * 5000},v1={GOOD}",
        f"t=٣,v1={GOOD}",
        f"t={AT},v1={digest(BODY, 'another secret', AT)}",
    ],
)
def test_a_bad_one_does_not(header: str) -> None:
    with pytest.raises(ForgedWebhook) as refused:
        check(header)
    assert refused.value.code == "payments.forged_webhook"


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], b'{"id": "evt_2"}'])
def test_it_holds_for_its_own_body_only(body: bytes) -> None:
    with pytest.raises(ForgedWebhook, match="does not hold"):
        check(f"t={AT},v1={GOOD}", body)


@pytest.mark.parametrize(("seconds", "holds"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_it_holds_for_a_while(seconds: int, holds: bool) -> None:
    def late() -> None:
        check(f"t={AT},v1={GOOD}", now=NOW + timedelta(seconds=seconds))

    if holds:
        late()
    else:
        with pytest.raises(ForgedWebhook, match="too long ago"):
            late()
