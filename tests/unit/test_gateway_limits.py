"""Rate limits without a server: quotas, what clients are told of them, leases, and a process on its own."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from api.gateway.leases import LEASE_SECONDS, Lease, Leases
from api.gateway.local_limits import CALLERS, LocalLimits
from api.gateway.quotas import Allowance, LimitExceeded, Quota, address_principal, quotas_of
from api.gateway.routes import LimitClass
from contracts.errors import Kind
from runtime.settings import MissingSetting, Settings

READS = Quota(LimitClass.READ, 1_200, 60)
SIGN_INS = Quota(LimitClass.SIGN_IN, 30, 60)

T = TypeVar("T")


class ClockedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1_000.0

    def time(self) -> float:
        return self.seconds


class Alone:
    """A process that counts for itself, at a time of the test's choosing."""

    def __init__(self, *quotas: Quota, processes: int = 2) -> None:
        self._loop = ClockedLoop()
        self._runner = asyncio.Runner(loop_factory=lambda: self._loop)
        self._limits = LocalLimits({quota.limit_class: quota for quota in quotas}, processes)

    def __enter__(self) -> "Alone":
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def pass_time(self, seconds: float) -> None:
        self._loop.seconds += seconds

    def admit(self, limit_class: LimitClass, principal: str = "a:192.0.2.1") -> Allowance:
        return self._run(self._limits.admit(limit_class, principal))

    def admitted(self, limit_class: LimitClass, principal: str = "a:192.0.2.1") -> int:
        """How many pass before one is refused."""
        count = 0
        try:
            while True:
                self.admit(limit_class, principal)
                count += 1
        except LimitExceeded:
            return count

    def _run(self, work: Coroutine[None, None, T]) -> T:
        return self._runner.run(work)


def settings(**limits: str | int) -> Settings:
    return Settings.model_validate(limits)


def test_a_client_is_told_its_policy_and_what_is_left() -> None:
    assert Allowance.after(READS, 1_199, 59.2).headers == (
        (b"ratelimit-policy", b'"read";q=1200;w=60'),
        (b"ratelimit", b'"read";r=1199;t=60'),
    )


def test_after_a_refusal_all_three_headers_agree() -> None:
    refused = LimitExceeded(READS, 12.01)
    assert refused.allowance.headers == (
        (b"ratelimit-policy", b'"read";q=1200;w=60'),
        (b"ratelimit", b'"read";r=0;t=13'),
        (b"retry-after", b"13"),
    )
    assert (refused.code, refused.kind, refused.retry_after) == ("gateway.rate_limited", Kind.THROTTLED, 13)


def test_nobody_is_told_to_come_back_at_once() -> None:
    assert LimitExceeded(READS, 0.0).retry_after == 1


@pytest.mark.parametrize(
    ("limit", "permits", "seconds"),
    [("300/minute", 300, 60), ("5 per 2 minutes", 5, 120), ("9/hour", 9, 3_600)],
)
def test_a_quota_is_read_from_its_setting(limit: str, permits: int, seconds: int) -> None:
    quota = quotas_of(settings(limit_write=limit))[LimitClass.WRITE]
    assert (quota.limit_class, quota.permits, quota.seconds) == (LimitClass.WRITE, permits, seconds)


@pytest.mark.parametrize("limit", ["", "many", "0/minute", "-1/minute", "10/fortnight"])
def test_a_quota_that_cannot_be_read_is_named(limit: str) -> None:
    with pytest.raises(MissingSetting, match="MICROMART_LIMIT_SIGN_IN"):
        quotas_of(settings(limit_sign_in=limit))


def test_only_reads_are_leased_ahead() -> None:
    quotas = quotas_of(settings())
    assert {of for of, quota in quotas.items() if quota.ahead} == {LimitClass.READ}


@pytest.mark.parametrize(("processes", "ahead"), [(1, 24), (2, 12), (5, 4), (100, 0)])
def test_all_processes_together_hold_two_percent_ahead_at_most(processes: int, ahead: int) -> None:
    quotas = quotas_of(settings(limit_read="1200/minute", gateway_processes=processes))
    assert quotas[LimitClass.READ].ahead == ahead


def test_a_small_quota_is_exact() -> None:
    assert quotas_of(settings(limit_read="60/minute"))[LimitClass.READ].ahead == 0


@pytest.mark.parametrize(
    ("address", "principal"),
    [
        ("192.0.2.1", "a:192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "a:2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "a:2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "a:2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "a:192.0.2.1"),
        ("fe80::1%eth0", "a:fe80::/64"),
        ("::1", "a:::/64"),
        ("not:an:address", "a:unknown"),
    ],
)
def test_an_address_stands_for_what_one_household_has(address: str, principal: str) -> None:
    assert address_principal(address) == principal


def test_a_process_alone_allows_its_share() -> None:
    with Alone(READS) as alone:
        assert alone.admitted(LimitClass.READ) == 600


def test_a_process_alone_allows_half_its_share_of_sign_ins() -> None:
    with Alone(SIGN_INS) as alone:
        assert alone.admitted(LimitClass.SIGN_IN) == 7


def test_sign_ins_stay_below_their_quota_within_any_window_though_all_processes_are_alone() -> None:
    with Alone(SIGN_INS) as alone:
        admitted = alone.admitted(LimitClass.SIGN_IN)
        for _ in range(SIGN_INS.seconds):
            alone.pass_time(1.0)
            admitted += alone.admitted(LimitClass.SIGN_IN)
        assert 2 * admitted <= SIGN_INS.permits


def test_many_processes_allow_one_each_at_least() -> None:
    with Alone(SIGN_INS, processes=1_000) as alone:
        assert alone.admitted(LimitClass.SIGN_IN) == 1


def test_a_process_alone_tells_what_is_left_of_its_share() -> None:
    with Alone(READS) as alone:
        alone.admit(LimitClass.READ)
        assert alone.admit(LimitClass.READ).headers == (
            (b"ratelimit-policy", b'"read";q=600;w=60'),
            (b"ratelimit", b'"read";r=598;t=1'),
        )


def test_who_waits_as_told_by_a_process_alone_gets_through() -> None:
    with Alone(SIGN_INS) as alone:
        alone.admitted(LimitClass.SIGN_IN)
        with pytest.raises(LimitExceeded) as refused:
            alone.admit(LimitClass.SIGN_IN)
        assert refused.value.retry_after is not None
        alone.pass_time(refused.value.retry_after)
        alone.admit(LimitClass.SIGN_IN)


def test_callers_do_not_share_a_bucket() -> None:
    with Alone(SIGN_INS) as alone:
        alone.admitted(LimitClass.SIGN_IN, "a:192.0.2.1")
        assert alone.admitted(LimitClass.SIGN_IN, "a:192.0.2.2") == 7


def test_a_flood_of_readers_does_not_refill_anybodys_sign_ins() -> None:
    with Alone(READS, SIGN_INS) as alone:
        alone.admitted(LimitClass.SIGN_IN)
        for reader in range(CALLERS + 1):
            alone.admit(LimitClass.READ, f"u:{reader}")
        assert alone.admitted(LimitClass.SIGN_IN) == 0


def renewed(lease: Lease, *, used: int, permits: int, now: float) -> None:
    lease.renew(used=used, permits=permits, remaining=100, resets_at=now + 60, taken_at=5, now=now)


def test_who_reads_once_takes_nothing_ahead() -> None:
    assert Lease(now=0.0).wish(12, now=0.0) == 0


def test_who_reads_more_takes_more_ahead_up_to_the_most() -> None:
    lease = Lease(now=0.0)
    wishes = []
    for _ in range(5):
        renewed(lease, used=1, permits=lease.wish(12, now=0.0), now=0.0)
        wishes.append(lease.permits)
        while lease.spend(now=0.0):
            pass
    assert wishes == [0, 2, 6, 12, 12]


def test_what_is_held_already_is_not_asked_for() -> None:
    lease = Lease(now=0.0)
    renewed(lease, used=10, permits=5, now=0.0)
    assert lease.wish(12, now=0.0) == 7


def test_an_expired_lease_is_not_spent() -> None:
    lease = Lease(now=0.0)
    renewed(lease, used=1, permits=5, now=0.0)
    assert not lease.spend(now=LEASE_SECONDS)


def test_an_expired_lease_gives_its_permits_back_once() -> None:
    lease = Lease(now=0.0)
    renewed(lease, used=1, permits=5, now=0.0)
    assert [lease.give_back(now) for now in (0.0, LEASE_SECONDS, LEASE_SECONDS)] == [0, 5, 0]


def test_leases_that_nobody_renews_are_dropped_and_those_with_permits_told() -> None:
    leases = Leases()
    renewed(leases.open("u:spent", 0.0), used=1, permits=0, now=0.0)
    renewed(leases.open("u:holds", 0.0), used=1, permits=5, now=0.0)
    renewed(leases.open("u:reads", 0.0), used=1, permits=5, now=LEASE_SECONDS)
    assert [principal for principal, _ in leases.lapse(LEASE_SECONDS)] == ["u:holds"]
    assert len(leases) == 1
