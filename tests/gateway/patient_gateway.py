"""A gateway's process that waits for a slow Valkey: on a busy machine it must not begin to count alone."""

from api.gateway.app import Gateway
from api.gateway.connection import edge_protocol
from runtime.settings import Settings, run_process
from runtime.web import server_for

PATIENCE_SECONDS = 10.0


def _start(settings: Settings) -> None:
    server_for(
        Gateway(settings, limits_answer_seconds=PATIENCE_SECONDS),
        settings,
        default_port=0,
        protocol=edge_protocol(settings),
        tells_peers=False,
    ).run()


if __name__ == "__main__":
    run_process(_start)
