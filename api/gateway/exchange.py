"""One request and its answer, as the access log and the metrics tell of them."""

import time

from prometheus_client import Counter, Histogram
from starlette.types import Message, Scope, Send
from structlog.typing import FilteringBoundLogger

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


class Exchange:
    """What is known of a request so far; reported once, when it is over."""

    __slots__ = (
        "answering",
        "cut",
        "method",
        "request_id",
        "route",
        "started",
        "status",
        "subject",
        "trace_id",
        "upstream",
    )

    def __init__(self, scope: Scope) -> None:
        self.started = time.perf_counter()
        self.method: str = scope["method"]
        self.request_id = ""
        self.trace_id = ""
        self.route = UNMATCHED
        self.upstream = "gateway"
        self.subject: str | None = None
        self.status = 0
        self.answering = False
        self.cut: str | None = None

    async def answer(self, send: Send, start: Message) -> None:
        """Send the head of the answer."""
        self.answering = True
        self.status = start["status"]
        await send(start)

    def report(self, log: FilteringBoundLogger) -> None:
        """Count the exchange and log it in one line."""
        seconds = time.perf_counter() - self.started
        REQUESTS.labels(self.method, self.route, self.upstream, str(self.status)).inc()
        REQUEST_SECONDS.labels(self.route, self.upstream).observe(seconds)
        if self.route in QUIET_ROUTES:
            return
        log.info(
            "request",
            method=self.method,
            route=self.route,
            upstream=self.upstream,
            status=self.status,
            ms=round(seconds * 1000, 1),
            request_id=self.request_id,
            trace_id=self.trace_id,
            subject=self.subject,
            **({"cut": self.cut} if self.cut else {}),
        )
