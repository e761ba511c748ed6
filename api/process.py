"""An API process: settings, logs, application, server."""

import math
from collections.abc import Callable

from fastapi import FastAPI

from runtime.logs import configure_logs
from runtime.settings import DEFAULT_PORTS, STORE_SETTINGS, Needs, Settings, run_process
from runtime.web import REQUEST_SECONDS, serve


def run_api(
    name: str,
    application: Callable[[Settings], FastAPI],
    *,
    needs: Needs = lambda _: (),
    answers_checkouts: bool = False,
) -> None:
    """Serve one service's API until told to stop; a missing setting ends it with one line.

    `needs` names what it cannot do without, beside its store and what each API needs.
    """

    def start(settings: Settings) -> None:
        settings.require(STORE_SETTINGS[name], *needs(settings))
        configure_logs(settings, f"{name}-api")
        # A checkout that a client waits for may finish before the process ends.
        longest = math.ceil(settings.checkout_wait_seconds) + 1 if answers_checkouts else REQUEST_SECONDS
        serve(
            application(settings),
            settings,
            default_port=DEFAULT_PORTS[name],
            max_request_seconds=longest,
        )

    run_process(start)
