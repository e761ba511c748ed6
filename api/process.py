"""An API process: settings, logs, application, server."""

from collections.abc import Callable

from fastapi import FastAPI

from runtime.logs import configure_logs
from runtime.settings import DEFAULT_PORTS, Settings, run_process
from runtime.web import serve


def run_api(name: str, application: Callable[[Settings], FastAPI]) -> None:
    """Serve one service's API until told to stop; a missing setting ends it with one line."""

    def start(settings: Settings) -> None:
        configure_logs(settings, f"{name}-api")
        serve(application(settings), settings, default_port=DEFAULT_PORTS[name])

    run_process(start)
