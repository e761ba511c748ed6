"""The breaker beside a model that remembers everything; then what the machine cannot say as plainly."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from prometheus_client import REGISTRY

from api.gateway.breakers import STATE, Breaker, Once, State, Trial
from api.gateway.errors import UpstreamSuspended
from api.gateway.verdicts import Verdict

SERVICE = "products"


# A trial, and the stay in a state that it began in.
Begun = tuple[Trial, int]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.25

    def __call__(self) -> float:
        return self.now


class Beside(RuleBasedStateMachine):
    """Calls begin, end late or never, while time goes on; the model keeps every outcome in a list."""

    trials: Bundle[Begun] = Bundle("trials")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(SERVICE, self.clock)
        self.state = State.CLOSED
        # Which state's stay this is, counted: a trial belongs to the one that it began in.
        self.stay = 0
        self.outcomes: list[tuple[int, bool]] = []
        self.closed_at = self.clock.now
        self.open_until = 0.0
        self.patience = 5.0
        self.probing = 0
        self.proved = 0

    @rule(seconds=st.sampled_from([0.1, 0.75, 1.0, 4.5, 9.0, 10.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.state is not State.CLOSED)
    @rule()
    def the_pause_ends(self) -> None:
        self.clock.now = max(self.clock.now, self.open_until)

    @rule(target=trials)
    def a_request_begins(self) -> MultipleResults[Begun]:
        return multiple(*self._begun())

    @rule(failures=st.integers(1, 25), successes=st.integers(0, 25))
    def many_requests_end_at_once(self, failures: int, successes: int) -> None:
        for verdict in [Verdict.SUCCESS] * successes + [Verdict.FAILURE] * failures:
            for begun in self._begun():
                self._end(begun, verdict)

    @rule(begun=consumes(trials), verdict=st.sampled_from(Verdict))
    def a_request_ends(self, begun: Begun, verdict: Verdict) -> None:
        self._end(begun, verdict)

    @invariant()
    def both_are_in_the_same_state(self) -> None:
        assert self.breaker.state is self.state

    @invariant()
    def the_metric_tells_of_it(self) -> None:
        assert told() == [self.state]

    def _begun(self) -> list[Begun]:
        """One request that was let through, or none, as the model has it."""
        wait = self._wait_in_the_model()
        if wait is None:
            self.breaker.check()
            return [(Once(self.breaker.admit()), self.stay)]
        with pytest.raises(UpstreamSuspended):
            self.breaker.check()
        assert opened(self.breaker) == wait
        return []

    def _end(self, begun: Begun, verdict: Verdict) -> None:
        trial, stay = begun
        trial.ended(verdict)
        # Whoever ends it again, when its answer's way is over, changes nothing.
        trial.failed()
        if stay != self.stay:
            return
        if self.state is State.CLOSED:
            self._counted(verdict)
        else:
            self._probed(verdict)

    def _wait_in_the_model(self) -> int | None:
        if self.state is State.OPEN:
            if self.clock.now < self.open_until:
                return math.ceil(self.open_until - self.clock.now)
            self._becomes(State.HALF_OPEN)
            self.probing = self.proved = 0
        if self.state is State.HALF_OPEN:
            if self.probing == 3:
                return 1
            self.probing += 1
        return None

    def _counted(self, verdict: Verdict) -> None:
        if verdict is Verdict.NEUTRAL:
            return
        self.outcomes.append((int(self.clock.now), verdict is Verdict.FAILURE))
        recent = [failed for second, failed in self.outcomes if second > int(self.clock.now) - 10]
        if verdict is Verdict.FAILURE and len(recent) >= 20 and sum(recent) * 2 >= len(recent):
            if self.clock.now - self.closed_at >= 30.0:
                self.patience = 5.0
            self._opens()

    def _probed(self, verdict: Verdict) -> None:
        self.probing -= 1
        if verdict is Verdict.FAILURE:
            self._opens()
        elif verdict is Verdict.SUCCESS:
            self.proved += 1
            if self.proved == 3:
                self._becomes(State.CLOSED)
                self.closed_at = self.clock.now
                self.outcomes = []

    def _opens(self) -> None:
        self._becomes(State.OPEN)
        self.open_until = self.clock.now + self.patience
        self.patience = min(self.patience * 2, 30.0)

    def _becomes(self, state: State) -> None:
        self.state = state
        self.stay += 1


def told() -> list[State]:
    """The states that the metrics say the breaker is in; one, if all is well."""
    # Its own samples only: in a process of many tests the whole registry takes long to read.
    [family] = STATE.collect()
    return [
        State(sample.labels["state"])
        for sample in family.samples
        if sample.labels["upstream"] == SERVICE and sample.value == 1
    ]


TestBesideTheModel = Beside.TestCase
TestBesideTheModel.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(SERVICE, clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.admit().failed()


def opened(breaker: Breaker) -> int:
    """The seconds that a request is told to wait."""
    with pytest.raises(UpstreamSuspended) as refused:
        breaker.admit()
    assert refused.value.retry_after is not None
    return refused.value.retry_after


def test_twenty_calls_are_needed(breaker: Breaker) -> None:
    fail(breaker, 19)
    assert told() == [State.CLOSED]
    fail(breaker, 1)
    assert breaker.state is State.OPEN


def test_less_than_half_may_fail(breaker: Breaker) -> None:
    for _ in range(11):
        breaker.admit().succeeded()
    fail(breaker, 10)
    assert told() == [State.CLOSED]
    fail(breaker, 1)
    assert breaker.state is State.OPEN


def test_failures_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 19)
    clock.now += 10
    fail(breaker, 19)
    assert breaker.state is State.CLOSED


def test_a_client_that_left_counts_nowhere(breaker: Breaker) -> None:
    for _ in range(100):
        breaker.admit().abandoned()
    fail(breaker, 20)
    assert breaker.state is State.OPEN


def test_each_failed_probe_doubles_the_pause_up_to_half_a_minute(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    pauses = [opened(breaker)]
    for _ in range(4):
        clock.now += pauses[-1]
        breaker.admit().failed()
        pauses.append(opened(breaker))
    assert pauses == [5, 10, 20, 30, 30]


def test_an_outage_of_a_night_is_survived(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    for _ in range(2_000):
        clock.now += 30
        breaker.admit().failed()
    assert opened(breaker) == 30


def test_three_probes_at_once_and_no_more(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 5
    probes = [breaker.admit() for _ in range(3)]
    assert opened(breaker) == 1
    probes[0].abandoned()
    probes[0].abandoned()
    breaker.admit()
    assert opened(breaker) == 1


def test_three_successes_close_it_and_the_past_is_forgotten(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 5
    for _ in range(3):
        breaker.admit().succeeded()
    fail(breaker, 19)
    assert breaker.state is State.CLOSED


def test_what_began_before_it_opened_does_not_count_after(breaker: Breaker, clock: Clock) -> None:
    early = breaker.admit()
    fail(breaker, 20)
    clock.now += 5
    probe = breaker.admit()
    early.failed()
    assert told() == [State.HALF_OPEN]
    probe.failed()
    assert breaker.state is State.OPEN


def test_a_service_that_falls_again_at_once_is_given_longer(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 5
    for _ in range(3):
        breaker.admit().succeeded()
    fail(breaker, 20)
    assert opened(breaker) == 10
    clock.now += 10
    for _ in range(3):
        breaker.admit().succeeded()
    clock.now += 30
    fail(breaker, 20)
    assert opened(breaker) == 5


def test_changes_are_counted(breaker: Breaker) -> None:
    name = "micromart_gateway_breaker_changes_total"
    labels = {"upstream": SERVICE, "state": "open"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    fail(breaker, 20)
    assert REGISTRY.get_sample_value(name, labels) == before + 1
