"""What the provider counts."""

from prometheus_client import CollectorRegistry, Counter, generate_latest


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "psp_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self.authorizations = Counter(
            "psp_authorizations", "Authorizations by outcome.", ["outcome"], registry=self._registry
        )
        self.webhooks = Counter(
            "psp_webhooks", "Webhooks sent, by what became of them.", ["outcome"], registry=self._registry
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)
