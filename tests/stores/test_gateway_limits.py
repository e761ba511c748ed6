"""Rate limits over a real Valkey: exact over processes, and harmless when it is killed, frozen or refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from api.gateway.limits import Allowance, Limiter, LimitExceeded, open_limiter
from api.gateway.routes import LimitClass
from tests.conftest import Servers
from tests.polling import DEADLINE_SECONDS, until
from tests.stores.limits_callers import PATIENCE_SECONDS, admitted, admitted_by_processes, limits
from tests.stores.limits_valkey import Valkey

READ, WRITE, SIGN_IN = LimitClass.READ, LimitClass.WRITE, LimitClass.SIGN_IN
EXACT = [of for of in LimitClass if of is not READ]


@pytest.fixture
def valkey_folder(server_folder: Path, request: pytest.FixtureRequest) -> Path:
    return server_folder / f"limits-{request.node.name}"


@pytest.fixture
async def valkey(valkey_folder: Path) -> AsyncIterator[Valkey]:
    server = Valkey(valkey_folder)
    await server.start()
    yield server
    server.kill()


@asynccontextmanager
async def patient(url: str, rate: str) -> AsyncIterator[Limiter]:
    async with open_limiter(limits(url, rate), answer_seconds=PATIENCE_SECONDS) as limiter:
        yield limiter


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.bus_redis_url


async def refused(limiter: Limiter, limit_class: LimitClass, principal: str) -> LimitExceeded:
    """The refusal that comes at last."""
    try:
        while True:
            await limiter.admit(limit_class, principal)
    except LimitExceeded as refusal:
        return refusal


async def window_of(redis: Redis, limiter: Limiter, limit_class: LimitClass, principal: str) -> str:
    """The key that a caller's first request makes."""
    before = set(await redis.keys(f"limits:{limit_class}:*"))
    await limiter.admit(limit_class, principal)
    (key,) = set(await redis.keys(f"limits:{limit_class}:*")) - before
    return key.decode() if isinstance(key, bytes) else key


async def left_shared(limiter: Limiter) -> None:
    """Return once the limiter counts alone, calling until then."""

    async def is_alone() -> bool:
        await limiter.admit(WRITE, "u:somebody")
        return not limiter.is_shared

    await until(is_alone)


async def is_shared_again(limiter: Limiter) -> None:
    async def is_shared() -> bool:
        return limiter.is_shared

    await until(is_shared)


@pytest.mark.parametrize("limit_class", EXACT)
async def test_two_processes_admit_exactly_the_quota(url: str, limit_class: LimitClass) -> None:
    counts = await admitted_by_processes(url, "5000/hour", limit_class, "u:exact", 5_000, 2)
    assert sum(counts) == 5_000


async def test_two_processes_admit_reads_to_within_two_percent(url: str) -> None:
    counts = await admitted_by_processes(url, "5000/hour", READ, "u:reader", 5_000, 2)
    assert 4_900 <= sum(counts) <= 5_100


async def test_what_comes_at_once_is_told_apart(url: str) -> None:
    async with patient(url, "30/hour") as limiter:
        answers = await asyncio.gather(
            *(limiter.admit(WRITE, "u:at-once") for _ in range(50)), return_exceptions=True
        )
    assert [a.remaining for a in answers if isinstance(a, Allowance)] == list(range(29, -1, -1))
    assert sum(isinstance(answer, LimitExceeded) for answer in answers) == 20


async def test_classes_and_callers_are_counted_apart(url: str) -> None:
    async with patient(url, "3/hour") as limiter:
        await refused(limiter, WRITE, "u:one")
        assert (await limiter.admit(WRITE, "u:other")).remaining == 2
        assert (await limiter.admit(SIGN_IN, "u:one")).remaining == 2


@pytest.mark.parametrize("limit_class", [READ, WRITE])
async def test_who_waits_as_told_gets_through(url: str, limit_class: LimitClass) -> None:
    async with patient(url, "100/second") as limiter:
        refusal = await refused(limiter, limit_class, "u:waits")
        assert refusal.allowance.headers[1:] == (
            (b"ratelimit", f'"{limit_class}";r=0;t={refusal.retry_after}'.encode()),
            (b"retry-after", str(refusal.retry_after).encode()),
        )
        # Not to synchronise: a client that does as it is told is what is tested.
        await asyncio.sleep(refusal.retry_after or 0)
        await limiter.admit(limit_class, "u:waits")


async def test_what_has_left_the_window_counts_no_more(url: str) -> None:
    async with patient(url, "50/minute") as limiter, Redis.from_url(url) as redis:
        key = await window_of(redis, limiter, WRITE, "u:returns")
        await redis.rpush(key, *([1] * 49))
        assert (await limiter.admit(WRITE, "u:returns")).remaining == 48
        assert int(await redis.llen(key)) == 2


async def test_moments_from_before_the_clock_was_set_back_count_no_more(url: str) -> None:
    async with patient(url, "50/minute") as limiter, Redis.from_url(url) as redis:
        key = await window_of(redis, limiter, WRITE, "u:back")
        await redis.delete(key)
        await redis.rpush(key, *([2**52] * 50))
        assert (await limiter.admit(WRITE, "u:back")).remaining == 49


async def test_refusals_are_counted_by_class(url: str) -> None:
    def counted() -> float:
        labels = {"limit_class": "checkout"}
        return REGISTRY.get_sample_value("micromart_gateway_limited_total", labels) or 0.0

    before = counted()
    async with patient(url, "3/hour") as limiter:
        assert await admitted(limiter, LimitClass.CHECKOUT, "u:counted", 50) == 3
    assert counted() - before == 47


async def test_reads_that_were_leased_and_not_used_are_given_back(url: str) -> None:
    async with patient(url, "5000/hour") as limiter, Redis.from_url(url) as redis:
        key, used = await window_of(redis, limiter, READ, "u:goes-away"), 1

        async def leased_ahead() -> bool:
            nonlocal used
            for _ in range(19):
                await limiter.admit(READ, "u:goes-away")
            used += 19
            return int(await redis.llen(key)) > used

        async def as_many_as_used() -> bool:
            return int(await redis.llen(key)) == used

        # Where the machine stalls, a lease is over and given back before one looks.
        await until(leased_ahead)
        await until(as_many_as_used)


async def test_keys_hold_no_address_and_have_one_length(url: str) -> None:
    async with patient(url, "5000/hour") as limiter, Redis.from_url(url) as redis:
        await limiter.admit(WRITE, "a:192.0.2.77")
        await limiter.admit(WRITE, "a:" + "7" * 10_000)
        keys = [str(key) for key in await redis.keys("limits:write:*")]
    assert {len(key) for key in keys} == {len("b'limits:write:'") + 32}
    assert not any("192.0.2.77" in key for key in keys)


async def test_windows_are_gone_when_nobody_asks_for_them_any_more(url: str) -> None:
    async with patient(url, "7/second") as limiter, Redis.from_url(url) as redis:
        before = set(await redis.keys("limits:checkout:*"))
        await limiter.admit(LimitClass.CHECKOUT, "u:brief")

        async def gone() -> bool:
            return set(await redis.keys("limits:checkout:*")) <= before

        await until(gone)


async def test_a_wiped_valkey_counts_anew(valkey: Valkey) -> None:
    async with patient(valkey.url, "3/hour") as limiter, Redis.from_url(valkey.url) as redis:
        await limiter.admit(WRITE, "u:wiped")
        await redis.flushall()
        await redis.script_flush()
        assert (await limiter.admit(WRITE, "u:wiped")).remaining == 2
        assert limiter.is_shared


async def test_valkey_killed_under_load_costs_nobody_an_answer(valkey: Valkey) -> None:
    async with (
        open_limiter(limits(valkey.url, "1000000/minute")) as limiter,
        Redis.from_url(valkey.url) as redis,
    ):
        await is_shared_again(limiter)
        load = [asyncio.create_task(admitted(limiter, of, "u:busy", 50_000)) for of in (READ, WRITE)]

        async def under_load() -> bool:
            return bool(await redis.keys("limits:read:*") and await redis.keys("limits:write:*"))

        await until(under_load)
        valkey.kill()
        assert [await task for task in load] == [50_000, 50_000]
        await left_shared(limiter)


async def test_without_valkey_sign_ins_stay_below_half_of_the_share(valkey: Valkey) -> None:
    async with open_limiter(limits(valkey.url, "400/hour")) as limiter:
        valkey.kill()
        await left_shared(limiter)
        assert await admitted(limiter, SIGN_IN, "a:192.0.2.1", 500) == 100


async def test_a_gateway_starts_without_valkey_and_finds_it_later(valkey: Valkey) -> None:
    valkey.kill()
    async with patient(valkey.url, "5000/hour") as limiter:
        assert not limiter.is_shared
        assert (await limiter.admit(WRITE, "u:early")).quota.permits == 2_500
        await valkey.start()
        await is_shared_again(limiter)
        assert (await limiter.admit(WRITE, "u:early")).quota.permits == 5_000


async def test_a_restarted_valkey_is_used_again(valkey: Valkey) -> None:
    async with open_limiter(limits(valkey.url, "5000/hour")) as limiter:
        valkey.kill()
        await left_shared(limiter)
        await valkey.start()
        await is_shared_again(limiter)


async def test_a_frozen_valkey_holds_nobody_up_and_is_used_again(valkey: Valkey) -> None:
    async with open_limiter(limits(valkey.url, "5000/day")) as limiter:
        await is_shared_again(limiter)
        valkey.freeze()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await left_shared(limiter)
            assert await admitted(limiter, WRITE, "u:frozen", 3_000) == 2_500
        valkey.thaw()
        await is_shared_again(limiter)


async def test_a_valkey_that_refuses_to_write_is_left_until_it_writes(valkey: Valkey) -> None:
    async with (
        open_limiter(limits(valkey.url, "5000/hour")) as limiter,
        Redis.from_url(valkey.url) as redis,
    ):
        await redis.config_set("maxmemory", 1)
        await left_shared(limiter)
        await redis.config_set("maxmemory", 0)
        await is_shared_again(limiter)


async def test_who_leaves_while_waiting_harms_no_other(url: str) -> None:
    async with patient(url, "5000/hour") as limiter:
        leaves, stays = (asyncio.create_task(limiter.admit(WRITE, "u:leaves")) for _ in range(2))
        await asyncio.sleep(0)
        leaves.cancel()
        assert (await stays).remaining == 4_998
