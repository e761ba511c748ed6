import pytest

from api.gateway.addresses import MAX_HOPS, Addresses
from runtime.settings import MissingSetting

PROXY, SECOND_PROXY, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.7"
TRUSTED = "10.0.0.0/8, ::1/128,fd00::/8"


def origin(peer: str | None, *told: str, trusted: str = TRUSTED) -> str:
    """Where a request comes from whose peer and X-Forwarded-For lines are these."""
    headers = [(b"host", b"shop"), *((b"x-forwarded-for", line.encode()) for line in told)]
    return Addresses(trusted).of({"client": (peer, 1) if peer else None, "headers": headers})


@pytest.mark.parametrize("trusted", ["", TRUSTED])
def test_a_stranger_is_not_believed(trusted: str) -> None:
    assert origin(CLIENT, "198.51.100.1", trusted=trusted) == CLIENT


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([CLIENT], CLIENT),
        ([f"198.51.100.1, {CLIENT}"], CLIENT),
        ([f"{CLIENT},{SECOND_PROXY}"], CLIENT),
        (["198.51.100.1", f"{CLIENT} , {SECOND_PROXY}"], CLIENT),
        ([CLIENT, SECOND_PROXY], CLIENT),
        ([f"{CLIENT}:4711"], CLIENT),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:DB8::1]:4711"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        ([f"::ffff:{CLIENT}"], CLIENT),
        (["fe80::1%eth0"], "fe80::1"),
    ],
)
def test_a_proxy_of_ours_is(told: list[str], expected: str) -> None:
    assert origin(PROXY, *told) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], PROXY),
        ([""], PROXY),
        (["nonsense"], PROXY),
        ([f"{CLIENT}, nonsense"], PROXY),
        ([f"{CLIENT}, "], PROXY),
        ([f"{CLIENT}, unknown, {SECOND_PROXY}"], SECOND_PROXY),
        (["1.2.3.4.5"], PROXY),
        (["010.0.0.9"], PROXY),
        (["127.1"], PROXY),
        (["<script>"], PROXY),
        (["\xff"], PROXY),
        ([SECOND_PROXY], SECOND_PROXY),
    ],
)
def test_a_broken_entry_ends_at_the_last_good_one(told: list[str], expected: str) -> None:
    assert origin(PROXY, *told) == expected


@pytest.mark.parametrize("peer", ["::1", "fd00::5", "::ffff:10.0.0.1"])
def test_a_proxy_may_come_over_ipv6(peer: str) -> None:
    assert origin(peer, CLIENT) == CLIENT


def test_a_row_of_endless_proxies_is_not_read_to_its_end() -> None:
    assert origin(PROXY, ",".join([CLIENT] + [SECOND_PROXY] * (MAX_HOPS + 10))) == SECOND_PROXY


def test_a_peer_without_an_address_is_unknown() -> None:
    assert origin(None, CLIENT) == "unknown"


def test_a_network_that_is_none_ends_the_start() -> None:
    with pytest.raises(MissingSetting, match="MICROMART_TRUSTED_PROXIES"):
        Addresses("10.0.0.0/8, nonsense")
