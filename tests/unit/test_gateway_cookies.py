"""The cookie of the Temporal UI: what it proves, for how long, and to whom."""

import base64
import json
from collections.abc import Callable

import pytest

from api.gateway.cookies import LIFETIME_SECONDS, StaffCookie
from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS
from contracts.identity import Identity, Role

IDENTITY = Identity(subject="user-1", roles=frozenset({Role.STAFF}), session="session-1")


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cookie(clock: Clock, *, secret: str = "of-the-gateways", secure: bool = False) -> StaffCookie:
    return StaffCookie(secret, secure=secure, now=clock)


def sent(set_cookie: str) -> str:
    """The Cookie header that a browser makes of a Set-Cookie header."""
    return set_cookie.partition(";")[0]


def test_it_proves_who_signed_in(clock: Clock) -> None:
    session = cookie(clock).read([sent(cookie(clock).opened(IDENTITY))])
    assert session is not None
    assert session.identity == IDENTITY
    assert session.expires_at == clock.time + LIFETIME_SECONDS


def test_it_is_found_among_others(clock: Clock) -> None:
    mine = sent(cookie(clock).opened(IDENTITY))
    assert cookie(clock).read(["theme=dark; a", f"b=c;{mine} ; d=e"]) is not None


@pytest.mark.parametrize(
    ("secure", "expected"),
    [
        (False, "micromart_temporal=; Max-Age=0; Path=/temporal; HttpOnly; SameSite=Lax"),
        (True, "__Secure-micromart_temporal=; Max-Age=0; Path=/temporal; HttpOnly; SameSite=Lax; Secure"),
    ],
)
def test_no_script_and_no_other_path_sees_it(clock: Clock, secure: bool, expected: str) -> None:
    one = cookie(clock, secure=secure)
    assert one.cleared() == expected
    assert one.opened(IDENTITY).endswith(expected.partition("Max-Age=0")[2])


def test_it_ends_after_eight_hours(clock: Clock) -> None:
    mine = sent(cookie(clock).opened(IDENTITY))
    clock.time += LIFETIME_SECONDS - 1
    assert cookie(clock).read([mine]) is not None
    clock.time += 1
    assert cookie(clock).read([mine]) is None


def test_a_logout_is_remembered_for_longer() -> None:
    assert LIFETIME_SECONDS < ENDED_SESSIONS_KEPT_SECONDS


def _raised(value: str) -> str:
    """The same cookie for an admin, without a new signature."""
    payload, _, mac = value.partition(".")
    claims = json.loads(base64.urlsafe_b64decode(payload)) | {"roles": ["admin"]}
    return f"{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()}.{mac}"


@pytest.mark.parametrize(
    "forged",
    [
        _raised,
        lambda value: value.partition(".")[0],
        lambda value: value.partition(".")[0] + ".",
        lambda value: value[:-1],
        lambda value: value + "0",
        lambda value: "." + value.partition(".")[2],
        lambda value: "é.ü",
        lambda value: "",
        lambda value: "a" * 100_000,
    ],
)
def test_a_forged_one_proves_nothing(clock: Clock, forged: Callable[[str], str]) -> None:
    name, _, value = sent(cookie(clock).opened(IDENTITY)).partition("=")
    assert cookie(clock).read([f"{name}={forged(value)}"]) is None


def test_one_of_another_secret_proves_nothing(clock: Clock) -> None:
    assert cookie(clock).read([sent(cookie(clock, secret="of-others").opened(IDENTITY))]) is None


def test_of_two_neither_counts(clock: Clock) -> None:
    mine = sent(cookie(clock).opened(IDENTITY))
    assert cookie(clock).read([mine, mine]) is None
    assert cookie(clock).read([f"{mine}; {mine}"]) is None


def test_what_was_set_over_plain_http_does_not_count_on_https(clock: Clock) -> None:
    assert cookie(clock, secure=True).read([sent(cookie(clock).opened(IDENTITY))]) is None
