"""How often a request may be sent again: seldom enough that retries never are what keeps a service down."""

import time

from prometheus_client import Counter

from api.gateway.rolling import Now, RollingCount

SHARE = 0.2
# A quiet service's requests may be tried again too, of which a share would leave none.
AT_LEAST = 5

RETRIES = Counter(
    "micromart_gateway_retries_total",
    "Requests that were to be sent again: sent, or refused for want of budget",
    ["upstream", "outcome"],
)


class RetryBudget:
    """Retries towards one service: a share of the requests of the last ten seconds, and a few in any case."""

    __slots__ = ("_refused", "_requests", "_retries", "_sent")

    def __init__(self, service: str, now: Now = time.monotonic) -> None:
        self._requests = RollingCount(now)
        self._retries = RollingCount(now)
        self._sent = RETRIES.labels(service, "sent")
        self._refused = RETRIES.labels(service, "refused")

    def request(self) -> None:
        """Note a request, once, however often it is sent."""
        self._requests.add()

    def try_retry(self) -> bool:
        """Whether one more may be sent again now; what is allowed is spent."""
        if self._retries.total() + 1 > max(AT_LEAST, SHARE * self._requests.total()):
            self._refused.inc()
            return False
        self._retries.add()
        self._sent.inc()
        return True
