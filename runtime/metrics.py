"""Prometheus: what every process counts, and the text it answers with."""

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

REQUESTS = Counter(
    "micromart_http_requests_total", "Requests answered", ["service", "method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "micromart_http_request_seconds",
    "Time to answer",
    ["service", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ACTIVITIES = Counter(
    "micromart_activities_total", "Activity attempts by how they ended", ["activity", "outcome"]
)
ACTIVITY_SECONDS = Histogram(
    "micromart_activity_seconds",
    "Time of one activity attempt",
    ["activity"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CHECKOUTS = Counter("micromart_checkouts_total", "Checkouts that ended, by outcome", ["outcome"])
EVENTS_PUBLISHED = Counter("micromart_events_published_total", "Events taken to the bus", ["service"])
EVENTS_BACKLOG = Gauge(
    "micromart_events_backlog",
    "Events in the outbox that are not on the bus, as its relay sees it",
    ["service"],
)
EVENTS_ON_BUS = Gauge(
    "micromart_events_on_bus",
    "Events in a stream of the bus, heard or not; one that is full takes no more",
    ["service", "shard"],
)
EVENTS_HEARD = Counter(
    "micromart_events_heard_total",
    "Events by what became of them: handled, parked (its reaction failed), joined (behind one that failed), "
    "ignored (nobody here reacts to its type)",
    ["service", "handler", "outcome"],
)
EVENT_SECONDS = Histogram(
    "micromart_event_seconds",
    "Time from an event's making to its effect",
    ["handler"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)


def exposition() -> tuple[bytes, str]:
    """The body and the content type of /metrics."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
