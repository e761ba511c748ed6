"""What surrounds a breaker: places at a service, the retry budget, and what an outcome says."""

import asyncio
from collections.abc import Mapping

import aiohttp
import pytest
from prometheus_client import REGISTRY

from api.gateway.bulkheads import Bulkhead
from api.gateway.errors import (
    BodyTooLarge,
    BodyTooSlow,
    ClientLeft,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from api.gateway.exchange import CLIENT_LEFT
from api.gateway.retries import RetryBudget
from api.gateway.rolling import RollingCount
from api.gateway.verdicts import Verdict, what_counts
from api.problems import problem_response
from contracts.errors import Unavailable

SERVICE = "products"
PROBLEM = {"content-type": "application/problem+json"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def inside() -> float | None:
    return REGISTRY.get_sample_value("micromart_gateway_upstream_requests", {"upstream": SERVICE})


def test_a_full_service_gets_no_more() -> None:
    bulkhead = Bulkhead(SERVICE, 2)
    with bulkhead, bulkhead:
        with pytest.raises(UpstreamOverloaded) as refused, bulkhead:
            pass
        assert (refused.value.code, refused.value.retry_after) == ("gateway.upstream_overloaded", 1)
        assert inside() == 2


def test_a_place_that_was_left_is_free() -> None:
    bulkhead = Bulkhead(SERVICE, 1)
    for _ in range(3):
        with bulkhead:
            pass
    assert inside() == 0


def test_what_was_shed_is_counted() -> None:
    name, labels = "micromart_gateway_upstream_shed_total", {"upstream": SERVICE}
    before = REGISTRY.get_sample_value(name, labels) or 0
    with pytest.raises(UpstreamOverloaded), Bulkhead(SERVICE, 0):
        pass
    assert REGISTRY.get_sample_value(name, labels) == before + 1


def spent(budget: RetryBudget) -> int:
    """How many retries are left, by taking them."""
    left = 0
    while budget.try_retry():
        left += 1
    return left


@pytest.mark.parametrize(("requests", "retries"), [(0, 5), (10, 5), (25, 5), (29, 5), (30, 6), (1_000, 200)])
def test_a_fifth_may_be_sent_again_and_a_few_always(clock: Clock, requests: int, retries: int) -> None:
    budget = RetryBudget(SERVICE, clock)
    for _ in range(requests):
        budget.request()
    assert spent(budget) == retries


def test_a_spent_budget_comes_back_with_time(clock: Clock) -> None:
    budget = RetryBudget(SERVICE, clock)
    assert spent(budget) == 5
    clock.now += 9
    assert spent(budget) == 0
    clock.now += 1
    assert spent(budget) == 5


def test_a_count_is_of_the_last_ten_seconds(clock: Clock) -> None:
    count = RollingCount(clock)
    totals = []
    for _ in range(25):
        count.add()
        totals.append(count.total())
        clock.now += 1
    assert totals == [*range(1, 11), *[10] * 15]


@pytest.mark.parametrize("away", [10, 11, 19, 20, 1_000_003])
def test_after_a_silence_nothing_is_left_of_a_count(clock: Clock, away: int) -> None:
    count = RollingCount(clock)
    for _ in range(10):
        count.add()
        clock.now += 1
    clock.now += away - 1
    assert count.total() == 0


@pytest.mark.parametrize(
    ("outcome", "headers", "verdict"),
    [
        (200, {}, Verdict.SUCCESS),
        (303, {}, Verdict.SUCCESS),
        (400, PROBLEM, Verdict.SUCCESS),
        (404, PROBLEM, Verdict.SUCCESS),
        (429, PROBLEM, Verdict.SUCCESS),
        (CLIENT_LEFT, {}, Verdict.NEUTRAL),
        (500, PROBLEM, Verdict.FAILURE),
        (501, {}, Verdict.SUCCESS),
        (502, {}, Verdict.FAILURE),
        (503, PROBLEM, Verdict.NEUTRAL),
        (503, {"content-type": "text/plain"}, Verdict.FAILURE),
        (503, {}, Verdict.FAILURE),
        (504, {}, Verdict.FAILURE),
        (505, {}, Verdict.SUCCESS),
    ],
)
def test_what_an_answer_says(outcome: int, headers: Mapping[str, str], verdict: Verdict) -> None:
    assert what_counts(outcome, headers) is verdict


def test_a_service_that_lacks_another_is_not_at_fault() -> None:
    busy = problem_response(Unavailable("the catalog cannot be asked, try again").refusal)
    assert what_counts(busy.status_code, busy.headers) is Verdict.NEUTRAL


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ConnectionRefusedError(), Verdict.FAILURE),
        (ConnectionResetError(), Verdict.FAILURE),
        (aiohttp.ServerDisconnectedError(), Verdict.FAILURE),
        (aiohttp.ClientPayloadError(), Verdict.FAILURE),
        (TimeoutError(), Verdict.FAILURE),
        (UpstreamUnavailable("down"), Verdict.FAILURE),
        (UpstreamTimeout("slow"), Verdict.FAILURE),
        (ClientLeft(), Verdict.NEUTRAL),
        (asyncio.CancelledError(), Verdict.NEUTRAL),
        (BodyTooLarge(1), Verdict.NEUTRAL),
        (BodyTooSlow("slow"), Verdict.NEUTRAL),
        (ValueError("a bug of ours"), Verdict.NEUTRAL),
    ],
)
def test_what_an_exception_says(error: BaseException, verdict: Verdict) -> None:
    assert what_counts(error) is verdict
