"""An application of ours behind a real socket, in the tests' own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

DEADLINE_SECONDS = 30.0


@asynccontextmanager
async def serving(app: ASGIApp, *, protocol: type[asyncio.Protocol] | None = None) -> AsyncIterator[str]:
    """Serve on a free port, lifespan included; yields the base URL and has stopped when the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=protocol or "httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            # As in every process of ours: whose address counts is our own decision.
            proxy_headers=False,
            # Closed while a test is slow, it would fail the test's next request.
            timeout_keep_alive=60,
        )
        server = uvicorn.Server(config)
        # serve() would take over the signals of the process, which belong to pytest.
        running = asyncio.create_task(server._serve(sockets=[listener]))
        try:
            await _started(server, running)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await running


async def _started(server: uvicorn.Server, running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not server.started:
            if running.done():
                raise RuntimeError("the application did not start; its own error is in the log")
            await asyncio.sleep(0.005)
