"""A service that fails is left alone for a while: nobody waits for it, and it can recover."""

import math
import time
from abc import ABC, abstractmethod
from enum import StrEnum

from prometheus_client import Counter, Gauge

from api.gateway.errors import UpstreamSuspended
from api.gateway.rolling import Now, RollingCount
from api.gateway.verdicts import Verdict
from runtime.logs import get_logger

log = get_logger(__name__)

LEAST_CALLS = 20
FAILING_SHARE = 0.5
OPEN_SECONDS = 5.0
LONGEST_OPEN_SECONDS = 30.0
# Closed for so long, the next outage is a new one and does not begin with the last one's patience.
FORGIVEN_AFTER_SECONDS = 30.0
PROBES_AT_ONCE = 3
SUCCESSES_TO_CLOSE = 3


class State(StrEnum):
    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


STATE = Gauge(
    "micromart_gateway_breaker_state",
    "1 for the state that a service's breaker is in (an open one turns half_open with the first request "
    "after its time)",
    ["upstream", "state"],
)
CHANGES = Counter(
    "micromart_gateway_breaker_changes_total", "How often a breaker took a state", ["upstream", "state"]
)


class Trial(ABC):
    """One request that was let through; it ends by exactly one call, and a late end changes nothing."""

    __slots__ = ()

    @abstractmethod
    def succeeded(self) -> None:
        """The service answered as a healthy one does."""

    @abstractmethod
    def failed(self) -> None:
        """The service is at fault."""

    @abstractmethod
    def abandoned(self) -> None:
        """What happened says nothing about the service."""

    def ended(self, verdict: Verdict) -> None:
        """End as the verdict says."""
        if verdict is Verdict.SUCCESS:
            self.succeeded()
        elif verdict is Verdict.FAILURE:
            self.failed()
        else:
            self.abandoned()


class Once(Trial):
    """A trial that ends where its outcome is known first, in one of several places: only that end counts."""

    __slots__ = ("_trial",)

    def __init__(self, trial: Trial | None) -> None:
        self._trial = trial

    def succeeded(self) -> None:
        self.ended(Verdict.SUCCESS)

    def failed(self) -> None:
        self.ended(Verdict.FAILURE)

    def abandoned(self) -> None:
        self.ended(Verdict.NEUTRAL)

    def ended(self, verdict: Verdict) -> None:
        trial, self._trial = self._trial, None
        if trial is not None:
            trial.ended(verdict)


# Of an answer that has decided already.
SETTLED = Once(None)


class Breaker:
    """Closed, open, half-open: one service as this process has lately found it.

    Each state is a period with counts of its own, so what began in one and ends after it counts nowhere.
    """

    __slots__ = ("_now", "_open_seconds", "_period", "service")

    def __init__(self, service: str, now: Now = time.monotonic) -> None:
        self.service = service
        self._now = now
        self._open_seconds = OPEN_SECONDS
        self._period: _Closed | _Open | _HalfOpen = _Closed(self, now)
        for state in State:
            STATE.labels(service, state).set(state is State.CLOSED)

    @property
    def state(self) -> State:
        return self._period.state

    def admit(self) -> Trial:
        """Let one request through, or raise UpstreamSuspended with the seconds that it pays to wait."""
        return self._period.admit()

    def check(self) -> None:
        """Refuse where `admit` would now; nobody's place is taken. Safe to repeat."""
        self._period.check()

    def close(self, period: "_HalfOpen") -> None:
        """Trust the service again, if the period that found it well is the current one."""
        if period is self._period:
            self._enter(_Closed(self, self._now))

    def open(self, period: "_Closed | _HalfOpen") -> None:
        """Leave the service alone, longer each time, if the period that found it ill is the current one."""
        if period is not self._period:
            return
        now = self._now()
        if isinstance(period, _Closed) and now - period.since >= FORGIVEN_AFTER_SECONDS:
            self._open_seconds = OPEN_SECONDS
        self._enter(_Open(self, self._now, until=now + self._open_seconds))
        self._open_seconds = min(2 * self._open_seconds, LONGEST_OPEN_SECONDS)

    def probe(self) -> Trial:
        """Begin to look whether the service has recovered, with the request at hand."""
        period = _HalfOpen(self)
        self._enter(period)
        return period.admit()

    def _enter(self, period: "_Closed | _Open | _HalfOpen") -> None:
        STATE.labels(self.service, self._period.state).set(0)
        STATE.labels(self.service, period.state).set(1)
        CHANGES.labels(self.service, period.state).inc()
        log.warning("breaker_changed", upstream=self.service, was=self._period.state, state=period.state)
        self._period = period


class _Closed(Trial):
    """Every request is let through and counted; the period is the trial of them all, so none is made."""

    __slots__ = ("_breaker", "_calls", "_failures", "since")
    state = State.CLOSED

    def __init__(self, breaker: Breaker, now: Now) -> None:
        self._breaker = breaker
        self._calls = RollingCount(now)
        self._failures = RollingCount(now)
        self.since = now()

    def admit(self) -> Trial:
        return self

    def check(self) -> None:
        pass

    def succeeded(self) -> None:
        self._calls.add()

    def failed(self) -> None:
        """Count it, and open if too many have failed; a success never opens, even as the twentieth call."""
        self._calls.add()
        self._failures.add()
        calls = self._calls.total()
        if calls >= LEAST_CALLS and self._failures.total() >= FAILING_SHARE * calls:
            self._breaker.open(self)

    def abandoned(self) -> None:
        pass


class _Open:
    """No request is let through; the first one after its time is the first probe."""

    __slots__ = ("_breaker", "_now", "_until")
    state = State.OPEN

    def __init__(self, breaker: Breaker, now: Now, *, until: float) -> None:
        self._breaker = breaker
        self._now = now
        self._until = until

    def admit(self) -> Trial:
        self.check()
        return self._breaker.probe()

    def check(self) -> None:
        left = self._until - self._now()
        if left > 0:
            raise UpstreamSuspended(self._breaker.service, retry_after=math.ceil(left))


class _HalfOpen:
    """A few requests at a time are let through, until enough have succeeded or one has failed."""

    __slots__ = ("breaker", "running", "successes")
    state = State.HALF_OPEN

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.running = 0
        self.successes = 0

    def admit(self) -> Trial:
        self.check()
        self.running += 1
        return _Probe(self)

    def check(self) -> None:
        if self.running == PROBES_AT_ONCE:
            raise UpstreamSuspended(self.breaker.service, retry_after=1)


class _Probe(Trial):
    """One of the few; it gives its place back once, however often it is ended."""

    __slots__ = ("_period",)

    def __init__(self, period: _HalfOpen) -> None:
        self._period: _HalfOpen | None = period

    def succeeded(self) -> None:
        if (period := self._leave()) is not None:
            period.successes += 1
            if period.successes == SUCCESSES_TO_CLOSE:
                period.breaker.close(period)

    def failed(self) -> None:
        if (period := self._leave()) is not None:
            period.breaker.open(period)

    def abandoned(self) -> None:
        self._leave()

    def _leave(self) -> _HalfOpen | None:
        period, self._period = self._period, None
        if period is not None:
            period.running -= 1
        return period
