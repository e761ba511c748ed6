"""A process that serves as ours do: one request of it can be held until another one lets it go."""

import asyncio

from starlette.types import Receive, Scope, Send

from runtime.settings import Settings, run_process
from runtime.web import serve
from tests.gateway_peers import answer


class Holding:
    """Answers at once, but for /held, which waits for /release."""

    def __init__(self) -> None:
        self._released = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/release":
            self._released.set()
        elif scope["path"] == "/held":
            print("held", flush=True)  # noqa: T201 - how the test hears of it
            await self._released.wait()
        await answer(send, 200, b"{}")


def _start(settings: Settings) -> None:
    serve(Holding(), settings, default_port=0, max_request_seconds=60)


if __name__ == "__main__":
    run_process(_start)
