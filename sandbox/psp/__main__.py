"""python -m sandbox.psp: one process, one ledger."""

import os
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from sandbox.psp.app import create_app
from sandbox.psp.books import Books
from sandbox.psp.deliveries import Deliveries
from sandbox.psp.errors import LedgerError
from sandbox.psp.ledger import Ledger
from sandbox.psp.metrics import Metrics
from sandbox.psp.models import Entry
from sandbox.psp.provider import Provider
from sandbox.psp.settings import Settings, SettingsError
from sandbox.psp.webhooks import Webhooks


class Server(uvicorn.Server):
    """Says where it listens, and lets hanging requests go before it waits for them."""

    def __init__(self, config: uvicorn.Config, provider: Provider) -> None:
        super().__init__(config)
        self._provider = provider

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"psp: listening on http://{host}:{port}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._provider.stopping.set()
        await super().shutdown(sockets)


def main() -> None:
    """Serve until SIGTERM or SIGINT, then exit 0; 2 when the environment or the ledger forbids a start."""
    # uvicorn raises the signal again once it has shut down: then this is what ends the process.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    try:
        settings = Settings.read(os.environ)
        metrics, books = Metrics(), Books()
        webhooks = _webhooks(settings, metrics)
        ledger = _opened(settings.ledger, books, webhooks)
    except (SettingsError, LedgerError) as error:
        print(f"psp: {error}", file=sys.stderr)
        sys.exit(2)
    provider = Provider(ledger, books, metrics, lambda: datetime.now(UTC), settings.slow_seconds, webhooks)
    config = uvicorn.Config(
        create_app(provider, metrics, settings.api_key, webhooks),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
    Server(config, provider).run()


def _webhooks(settings: Settings, metrics: Metrics) -> Webhooks | None:
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    return Webhooks(settings.webhook_url, settings.webhook_secret, Deliveries(settings.deliveries), metrics)


def _opened(path: Path, books: Books, webhooks: Webhooks | None) -> Ledger:
    """The ledger, with everybody told what stands in it already."""
    if webhooks is None:
        return Ledger.open(path, books.apply)

    def replay(entry: Entry) -> None:
        books.apply(entry)
        webhooks.replay(entry)

    ledger = Ledger.open(path, replay)
    webhooks.begin()
    return ledger


if __name__ == "__main__":
    main()
