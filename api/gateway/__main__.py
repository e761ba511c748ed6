import gc
import math

from api.gateway.app import Gateway
from api.gateway.connection import edge_protocol
from api.gateway.open_files import within_open_files
from runtime.logs import configure_logs
from runtime.settings import DEFAULT_PORTS, Settings, run_process
from runtime.web import server_for

GC_THRESHOLD = 10_000


def main() -> None:
    run_process(_start)


def _start(settings: Settings) -> None:
    settings.require("service_secret", "cookie_secret", "bus_redis_url", "public_url")
    configure_logs(settings, "gateway")
    server = server_for(
        Gateway(settings),
        settings,
        default_port=DEFAULT_PORTS["gateway"],
        # A checkout that a client waits for may finish before the process ends.
        max_request_seconds=math.ceil(settings.checkout_wait_seconds) + 1,
        protocol=edge_protocol(within_open_files(settings)),
        tells_peers=False,
    )
    # What lives as long as the process is not worth a look in every full collection: each took 50 ms.
    gc.collect()
    gc.freeze()
    # Requests leave no cycles behind; each new batch of them had all that were under way looked through.
    gc.set_threshold(GC_THRESHOLD)
    server.run()


if __name__ == "__main__":
    main()
