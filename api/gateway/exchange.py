"""One request and its answer, as the access log and the metrics tell of them."""

import time
from functools import cache

from prometheus_client import Counter, Histogram
from starlette.types import Message, Scope, Send

from contracts.auth import StaffAction
from runtime.access_log import AccessLog, Field

# Nginx's name for an answer that nobody was there to take.
CLIENT_LEFT = 499
UNMATCHED = "unmatched"
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter(
    "micromart_gateway_requests_total",
    "Requests answered at the edge",
    ["method", "route", "upstream", "status"],
)
REQUEST_SECONDS = Histogram(
    "micromart_gateway_request_seconds",
    "Time to answer at the edge",
    ["route", "upstream"],
    buckets=_BUCKETS,
)
UPSTREAM_SECONDS = Histogram(
    "micromart_gateway_upstream_seconds",
    "Time until a service began to answer, of its last attempt",
    ["upstream"],
    buckets=_BUCKETS,
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Exchange:
    """What is known of a request so far; reported once, when it is over."""

    __slots__ = (
        "action",
        "address",
        "answering",
        "attempts",
        "code",
        "cut",
        "headers",
        "method",
        "request_id",
        "route",
        "started",
        "status",
        "subject",
        "trace_id",
        "upstream",
        "upstream_seconds",
    )

    def __init__(self, scope: Scope, address: str) -> None:
        """`address` is where the request comes from."""
        self.started = time.perf_counter()
        self.method: str = scope["method"]
        self.request_id = ""
        self.trace_id = ""
        self.route = UNMATCHED
        self.upstream = "gateway"
        self.subject: str | None = None
        self.address = address
        self.status = 0
        # Of a refusal: why.
        self.code: str | None = None
        self.answering = False
        self.cut: str | None = None
        self.attempts = 0
        self.upstream_seconds: float | None = None
        # Under which it is written down, where the staff changes something.
        self.action: str | None = None
        # What the gateway adds to whichever answer is given.
        self.headers: list[tuple[bytes, bytes]] = []

    def staff_action(self, actor: str, path: str) -> StaffAction:
        """What stands in the staff's trail about it."""
        return StaffAction(
            actor=actor,
            method=self.method,
            route=self.route,
            path=path,
            request_id=self.request_id,
            trace_id=self.trace_id,
            address=self.address,
        )

    async def answer(self, send: Send, start: Message) -> None:
        """Send the head of the answer."""
        self.answering = True
        self.status = start["status"]
        await send(start)

    def report(self, log: AccessLog) -> None:
        """Count the exchange and log it in one line."""
        seconds = time.perf_counter() - self.started
        method = self.method if self.method in _METHODS else "other"
        _counter(method, self.route, self.upstream, self.status).inc()
        _histogram(self.route, self.upstream).observe(seconds)
        if self.upstream_seconds is not None:
            _upstream(self.upstream).observe(self.upstream_seconds)
        if self.route in QUIET_ROUTES:
            return
        line: dict[str, Field] = {
            "method": self.method,
            "route": self.route,
            "upstream": self.upstream,
            "status": self.status,
            "ms": round(seconds * 1000, 1),
            "request_id": self.request_id,
            "trace_id": self.trace_id,
            "subject": self.subject,
            "address": self.address,
        }
        if self.upstream_seconds is not None:
            line["upstream_ms"] = round(self.upstream_seconds * 1000, 1)
        if self.code is not None:
            line["code"] = self.code
        if self.attempts > 1:
            line["attempts"] = self.attempts
        if self.cut is not None:
            line["cut"] = self.cut
        log.write(line)


# Finding a metric by its labels costs more than counting it. What is kept is bounded by the route table.
@cache
def _counter(method: str, route: str, upstream: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, upstream, str(status))


@cache
def _histogram(route: str, upstream: str) -> Histogram:
    return REQUEST_SECONDS.labels(route, upstream)


@cache
def _upstream(name: str) -> Histogram:
    return UPSTREAM_SECONDS.labels(name)
