"""Serving HTTP: uvicorn as every process of ours runs it."""

from typing import Any

import uvicorn

from runtime.settings import Settings


def server_for(
    app: Any, settings: Settings, *, default_port: int, max_request_seconds: int = 5
) -> uvicorn.Server:
    """A server that drains on SIGTERM for a bounded time and writes no access log of its own."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port or default_port,
            loop="uvloop",
            http="httptools",
            ws="none",
            access_log=False,
            server_header=False,
            date_header=False,
            # Who calls is the peer itself: a header's word about somebody behind it is not taken.
            proxy_headers=False,
            log_config=None,
            timeout_graceful_shutdown=max_request_seconds,
            backlog=2048,
        )
    )


def serve(app: Any, settings: Settings, *, default_port: int) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    server_for(app, settings, default_port=default_port).run()
