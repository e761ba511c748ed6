"""From what was measured to the figures that are told."""

import math

import pytest

from proof.effects import Effects
from proof.figure import Figure
from proof.gateway_figures import DIRECT, GATEWAY, Asked, GatewayFigures, GatewayRun
from proof.gateway_flood import Refused
from proof.gateway_load import Answered
from proof.load import Sample, Subject, sample_of
from proof.machine import this_machine
from proof.measured import Measured, Memory, Phase, Turn
from proof.meter import CpuUse
from proof.relay_process import Drained, RelayFigures
from proof.report import ALONE, CHECKOUT_CLIENTS, report_of


def phase(
    run: int,
    subject: Subject,
    clients: int,
    *,
    p50_ms: float = 10.0,
    per_second: int = 100,
    failures: dict[str, int] | None = None,
    cpu: dict[str, float] | None = None,
) -> Phase:
    sample = Sample(
        completed=per_second,
        failures=failures or {},
        seconds=1.0,
        p50_ms=p50_ms,
        p95_ms=p50_ms,
        p99_ms=p50_ms,
    )
    return Phase(
        run=run,
        subject=subject,
        clients=clients,
        sample=sample,
        cpu=CpuUse(seconds=1.0, by_process=cpu or {}, others=0.0),
    )


def measured(*phases: Phase) -> Measured:
    return Measured(machine=this_machine(), quick=False, phases=list(phases))


def turn(run: int, *, events: bool, p50_ms: float = 10.0, effects: Effects | None = None) -> Turn:
    load = phase(run, Subject.CHECKOUT, CHECKOUT_CLIENTS, p50_ms=p50_ms)
    return Turn(run=run, events=events, full=load, half=load.model_copy(deep=True), half_effects=effects)


def effects(
    *milliseconds: float, handler: str = "orders.follow_payment", late: int = 0, missing: int = 0
) -> Effects:
    count = len(milliseconds)
    return Effects(
        milliseconds={handler: list(milliseconds)},
        ended={0.25: count - late, math.inf: count},
        missing=missing,
        drained_seconds=0.0,
    )


def figure(found: Measured, name: str) -> Figure:
    return next(one for one in report_of(found).figures if one.name == name)


def asked(per_second: float = 1_000, p50_ms: float = 1.0, failed: int = 0) -> Asked:
    answered = Answered(
        requests=int(per_second), seconds=1.0, p50_ms=p50_ms, p99_ms=2 * p50_ms, errors=failed
    )
    busy = dict.fromkeys((GATEWAY, DIRECT, "traefik"), 0.9)
    return Asked(answered=answered, cpu=CpuUse(seconds=1.0, by_process=busy, others=0.0))


def gateway_run(
    *,
    rate: float = 3_000,
    peer: float = 9_000,
    added_ms: float = 0.5,
    suspended_ms: float = 1.0,
    flooded_ms: float = 1.0,
    failed: int = 0,
) -> GatewayRun:
    return GatewayRun(
        full={GATEWAY: asked(rate), DIRECT: asked(30_000), "traefik": asked(peer)},
        half={GATEWAY: asked(p50_ms=1.0 + added_ms), DIRECT: asked(), "traefik": asked()},
        suspended=asked(p50_ms=suspended_ms),
        polite=asked(),
        flooded=asked(p50_ms=flooded_ms, failed=failed),
        flood=Refused(seconds=1.0, by_status={"200": 1, "400": 500}),
    )


def test_a_ratio_is_made_within_each_run_before_the_median_is_taken() -> None:
    floors, checkouts = (10.0, 100.0, 20.0), (15.0, 180.0, 50.0)
    found = measured(
        *(phase(run, Subject.FLOOR, ALONE, p50_ms=ms) for run, ms in enumerate(floors)),
        *(phase(run, Subject.CHECKOUT, ALONE, p50_ms=ms) for run, ms in enumerate(checkouts)),
    )

    checkout = figure(found, "checkout, p50 at 1 client")

    # Run by run 1.5, 1.8 and 2.5; the medians' own ratio would be 2.5.
    assert (checkout.value, checkout.ratio) == (50.0, 1.8)


@pytest.mark.parametrize(("p50_ms", "met"), [(20.0, True), (20.1, False)])
def test_a_latency_goal_is_an_upper_bound_of_the_ratio(p50_ms: float, met: bool) -> None:
    found = measured(
        phase(1, Subject.FLOOR, ALONE, p50_ms=10.0), phase(1, Subject.CHECKOUT, ALONE, p50_ms=p50_ms)
    )

    assert figure(found, "checkout, p50 at 1 client").met is met


@pytest.mark.parametrize(("per_second", "met"), [(60, True), (59, False)])
def test_a_throughput_goal_is_a_lower_bound_of_the_ratio(per_second: int, met: bool) -> None:
    found = measured(
        phase(1, Subject.FLOOR, CHECKOUT_CLIENTS, per_second=100),
        phase(1, Subject.CHECKOUT, CHECKOUT_CLIENTS, per_second=per_second),
    )

    assert figure(found, "checkout, throughput at 32 clients").met is met


def test_without_a_floor_there_is_a_figure_and_no_verdict() -> None:
    checkout = figure(measured(phase(1, Subject.CHECKOUT, ALONE)), "checkout, p50 at 1 client")

    assert (checkout.value, checkout.ratio, checkout.met) == (10.0, None, None)


def test_one_failed_request_in_any_phase_misses_the_goal() -> None:
    found = measured(
        phase(1, Subject.CHECKOUT, ALONE, failures={"POST /v1/checkouts: 503": 1}),
        phase(2, Subject.CHECKOUT, ALONE),
    )

    failed = figure(found, "requests that failed")

    assert (failed.value, failed.met) == (1, False)


def test_memory_is_the_sum_over_all_processes() -> None:
    found = measured()
    found.memory = Memory(by_process={"temporal": 1_500_000_000, "postgres": 500_000_001})

    assert figure(found, "memory of all processes, PSS").met is False


def test_the_gateway_must_reach_its_rate_and_add_little() -> None:
    found = measured()
    found.gateway = GatewayFigures(
        runs=[gateway_run(rate=3_000, added_ms=1.0), gateway_run(rate=3_000, added_ms=0.5)]
    )

    assert figure(found, "gateway, one core").met is True
    assert figure(found, "gateway, CPU of a request").value == pytest.approx(300.0)
    assert figure(found, "gateway, added p50 at half of the gateway's rate").value == pytest.approx(0.75)


@pytest.mark.parametrize(("p50_ms", "met"), [(2.5, True), (2.6, False)])
def test_an_open_breaker_must_refuse_soon(p50_ms: float, met: bool) -> None:
    found = measured()
    found.gateway = GatewayFigures(runs=[gateway_run(suspended_ms=p50_ms)])

    assert figure(found, "refusal by an open breaker, p50").value == p50_ms
    assert figure(found, "refusal by an open breaker, p99").met is met


def test_a_peer_is_told_of_by_run_beside_the_gateway() -> None:
    found = measured()
    found.gateway = GatewayFigures(
        runs=[gateway_run(rate=rate, peer=peer) for rate, peer in ((100, 300), (1_000, 2_000), (500, 2_000))]
    )

    # Run by run 3, 2 and 4; the medians' own ratio would be 4.
    assert figure(found, "traefik, one core").ratio == 3.0


def test_polite_clients_are_compared_with_themselves_without_the_flood() -> None:
    found = measured()
    found.gateway = GatewayFigures(runs=[gateway_run(flooded_ms=1.5, failed=2)])

    assert figure(found, "polite clients' p50 beside the flood").ratio == 1.5
    assert figure(found, "gateway's requests that failed").value == 2
    assert figure(found, "bad requests answered as if they were good").value == 1


def test_cpu_time_is_told_by_request_the_most_expensive_process_first() -> None:
    found = measured(
        phase(1, Subject.FLOOR, CHECKOUT_CLIENTS, per_second=100, cpu={"gateway": 0.1, "temporal": 2.0})
    )

    assert list(report_of(found).cpu_ms_per_request[Subject.FLOOR].items()) == [
        ("temporal", 20.0),
        ("gateway", 1.0),
    ]


def test_a_goal_without_a_floor_is_about_the_value() -> None:
    assert Figure(name="up", value=25.0, unit="s").at_most(25.0).met is True


def test_percentiles_are_of_the_requests_that_ended_well() -> None:
    sample = sample_of([0.001 * number for number in range(1, 102)], {"POST /v1/carts: 503": 4}, 2.0)

    assert (sample.p50_ms, sample.p95_ms, sample.p99_ms) == (51.0, 96.0, 100.0)
    assert (sample.per_second, sample.failed) == (50.5, 4)


def test_a_single_request_has_its_own_latency_as_percentile() -> None:
    assert sample_of([0.25], {}, 1.0).p99_ms == 250.0


@pytest.mark.parametrize(("p50_ms", "met"), [(11.5, True), (11.6, False)])
def test_with_events_on_a_checkout_may_take_a_little_longer(p50_ms: float, met: bool) -> None:
    found = measured()
    found.turns = [turn(1, events=True, p50_ms=p50_ms), turn(1, events=False, p50_ms=10.0)]

    assert figure(found, "events on: checkout, p50 at half of it").met is met


def test_what_events_cost_is_told_by_run_before_the_median_is_taken() -> None:
    found = measured()
    on_and_off = ((11.0, 10.0), (120.0, 100.0), (26.0, 20.0))
    found.turns = [
        turn(run, events=events, p50_ms=p50_ms)
        for run, pair in enumerate(on_and_off)
        for events, p50_ms in zip((True, False), pair, strict=True)
    ]

    cost = figure(found, "events on: checkout, p50 at half of it")

    assert (cost.value, cost.ratio) == (26.0, 1.2)


def test_effects_are_pooled_over_runs_so_that_no_median_hides_the_slow_ones() -> None:
    found = measured()
    found.turns = [turn(run, events=True, effects=effects(*[10.0] * 90)) for run in (1, 2)]
    found.turns.append(turn(3, events=True, effects=effects(*[900.0] * 10)))

    p99 = figure(found, "commit to effect at half of it, p99")

    assert (p99.value, p99.met) == (900.0, False)


def test_a_reaction_that_was_over_late_counts_though_its_transaction_began_in_time() -> None:
    found = measured()
    found.turns = [turn(1, events=True, effects=effects(*[10.0] * 50, late=1))]

    share = figure(found, "reactions over within 250 ms of it")

    assert (share.value, share.met) == (98.0, False)


def test_one_effect_that_never_came_misses_the_goal() -> None:
    found = measured()
    found.turns = [turn(1, events=True, effects=effects(10.0, 20.0, missing=1))]

    assert figure(found, "effects that never came").met is False


def test_effects_are_told_by_handler() -> None:
    found = measured()
    found.turns = [turn(1, events=True, effects=effects(1.0, 2.0, 3.0, handler="notifications.welcome"))]

    times = report_of(found).effects_ms["notifications.welcome"]

    assert (times.events, times.p50, times.highest) == (3, 2.0, 3.0)


def test_a_failed_request_counts_with_events_on_and_off() -> None:
    found = measured()
    found.turns = [turn(1, events=True)]
    found.turns[0].half.sample.failures["POST /v1/checkouts: 202"] = 1

    assert figure(found, "requests that failed").value == 1


def test_a_backlog_must_not_make_the_process_grow() -> None:
    found = measured()
    backlog = Drained(
        events=10_000, seconds=10.0, cpu_seconds=9.0, before_mb=100.0, highest_mb=110.1, after_mb=100.0
    )
    found.relay = RelayFigures(
        per_second=2_000.0, per_cpu_second=9_000.0, backlog=backlog, relayed=[], drained=[backlog]
    )

    assert figure(found, "backlog of 10,000, memory grown by").met is False
