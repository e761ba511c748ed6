"""How many requests may be at a service at once: what comes beyond is shed, not queued."""

from prometheus_client import Counter, Gauge

from api.gateway.errors import UpstreamOverloaded

INSIDE = Gauge("micromart_gateway_upstream_requests", "Requests that are at a service now", ["upstream"])
SHED = Counter(
    "micromart_gateway_upstream_shed_total", "Requests refused because a service had enough", ["upstream"]
)


class Bulkhead:
    """The places at one service; a slow one fills its own and no other's."""

    __slots__ = ("_inside", "_limit", "_service", "_shed")

    def __init__(self, service: str, limit: int) -> None:
        self._service = service
        self._limit = limit
        self._inside = 0
        self._shed = SHED.labels(service)
        INSIDE.labels(service).set_function(lambda: self._inside)

    def __enter__(self) -> None:
        """Take a place, or raise UpstreamOverloaded."""
        if self._inside >= self._limit:
            self._shed.inc()
            raise UpstreamOverloaded(self._service)
        self._inside += 1

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
