"""From what was measured to the figures that are told."""

import pytest

from proof.gateway_bench import GatewayFigures
from proof.load import Sample, Subject, sample_of
from proof.machine import this_machine
from proof.meter import CpuUse
from proof.report import ALONE, CHECKOUT_CLIENTS, Bound, Figure, Measured, Memory, Phase, report_of


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


def figure(found: Measured, name: str) -> Figure:
    return next(one for one in report_of(found).figures if one.name == name)


def test_a_ratio_is_made_within_each_run_before_the_median_is_taken() -> None:
    floors, checkouts = (10.0, 100.0, 20.0), (15.0, 180.0, 50.0)
    found = measured(
        *(phase(run, Subject.FLOOR, ALONE, p50_ms=ms) for run, ms in enumerate(floors)),
        *(phase(run, Subject.CHECKOUT, ALONE, p50_ms=ms) for run, ms in enumerate(checkouts)),
    )

    checkout = figure(found, "checkout, p50 at 1 client")

    # Run by run 1.5, 1.8 and 2.5; the medians' own ratio would be 2.5.
    assert (checkout.value, checkout.of_floor) == (50.0, 1.8)


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

    assert (checkout.value, checkout.of_floor, checkout.met) == (10.0, None, None)


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


def test_the_gateway_must_reach_its_rate_on_its_own() -> None:
    found = measured()
    found.gateway = GatewayFigures(
        requests_per_second=3_000.0, upstream_direct_rps=9_000.0, p50_ms=5, p99_ms=9, errors=0
    )

    assert figure(found, "gateway alone, one core").met is True


def test_cpu_time_is_told_by_request_the_most_expensive_process_first() -> None:
    found = measured(
        phase(1, Subject.FLOOR, CHECKOUT_CLIENTS, per_second=100, cpu={"gateway": 0.1, "temporal": 2.0})
    )

    assert list(report_of(found).cpu_ms_per_request[Subject.FLOOR].items()) == [
        ("temporal", 20.0),
        ("gateway", 1.0),
    ]


def test_a_goal_without_a_floor_is_about_the_value() -> None:
    assert Figure(name="up", value=25.0, unit="s", bound=Bound.AT_MOST, goal=25.0).met is True


def test_percentiles_are_of_the_requests_that_ended_well() -> None:
    sample = sample_of([0.001 * number for number in range(1, 102)], {"POST /v1/carts: 503": 4}, 2.0)

    assert (sample.p50_ms, sample.p95_ms, sample.p99_ms) == (51.0, 96.0, 100.0)
    assert (sample.per_second, sample.failed) == (50.5, 4)


def test_a_single_request_has_its_own_latency_as_percentile() -> None:
    assert sample_of([0.25], {}, 1.0).p99_ms == 250.0
