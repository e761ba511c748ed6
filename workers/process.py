"""A worker process: one task queue, its health and metrics beside it, a graceful end."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from contracts.topology import WORKER_PORT_OFFSET
from runtime.cancellation import until_set
from runtime.logs import configure_logs, get_logger
from runtime.metrics import exposition
from runtime.settings import DEFAULT_PORTS, STORE_SETTINGS, Needs, Settings, run_process
from runtime.temporal import connect
from runtime.web import server_for

log = get_logger(__name__)

RETRY_SECONDS = 1.0
CANCEL_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class WorkerParts:
    """What a worker process runs: its Temporal workers, and loops that live as long as they do."""

    workers: tuple[Worker, ...] = ()
    loops: tuple[Callable[[], Awaitable[None]], ...] = ()


Opener = Callable[[Settings, Client], AbstractAsyncContextManager[WorkerParts]]


def run_worker(name: str, open_parts: Opener, *, needs: Needs = lambda _: ()) -> None:
    """Run one service's worker until told to stop; waits for Temporal rather than dying without it.

    `needs` names what it cannot do without, beside its store and the bus; it looks for that before it
    connects to anything or says that it lives.
    """

    def start(settings: Settings) -> None:
        bus = ("bus_redis_url",) if settings.events_enabled else ()
        settings.require(STORE_SETTINGS[name], *bus, *needs(settings))
        configure_logs(settings, f"{name}-worker")
        uvloop.run(_serve(name, settings, open_parts))

    run_process(start)


async def _serve(name: str, settings: Settings, open_parts: Opener) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    working = asyncio.Event()
    async with _operations(settings, DEFAULT_PORTS[name] + WORKER_PORT_OFFSET, working):
        client = await _connected(settings, stopping)
        if client is None:
            return
        async with open_parts(settings, client) as parts, _running(parts, stopping):
            log.info("worker polling", queues=[worker.task_queue for worker in parts.workers])
            working.set()
            await stopping.wait()
            log.info("worker draining")
            working.clear()


async def _connected(settings: Settings, stopping: asyncio.Event) -> Client | None:
    """A client once Temporal answers; None when the process was told to stop first."""
    while not stopping.is_set():
        try:
            return await connect(settings)
        except (RuntimeError, RPCError) as error:
            log.warning("waiting for Temporal", address=settings.temporal_address, reason=str(error)[:200])
            await until_set(stopping, within=RETRY_SECONDS)
    return None


@asynccontextmanager
async def _running(parts: WorkerParts, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Run all of it; a loop that ends by itself is a bug: the process ends, to be restarted."""
    async with AsyncExitStack() as stack:
        for worker in parts.workers:
            await stack.enter_async_context(worker)
        tasks = [asyncio.ensure_future(loop()) for loop in parts.loops]
        for task in tasks:
            task.add_done_callback(lambda _: stopping.set())
        try:
            yield
        finally:
            ended = [task for task in tasks if task.done()]
            await end_all(tasks)
            # At once: each waits for Temporal to let it go, half a minute where Temporal does not answer.
            await asyncio.gather(*(worker.shutdown() for worker in parts.workers))
        for task in ended:
            task.result()


async def end_all(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancel until all have ended: a library may lose a cancellation that meets an answer or a limit."""
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)


@asynccontextmanager
async def _operations(settings: Settings, port: int, working: asyncio.Event) -> AsyncIterator[None]:
    """Serve /healthz, /readyz and /metrics beside the worker."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready = working.is_set()
        return JSONResponse({"status": "ready" if ready else "starting"}, 200 if ready else 503)

    async def metrics(_: Request) -> Response:
        body, content_type = exposition()
        return Response(body, headers={"content-type": content_type})

    app = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
    server = server_for(app, settings, default_port=port)
    # The signals belong to the worker: the server is told to end after it has drained.
    serving = asyncio.create_task(server._serve())
    try:
        yield
    finally:
        server.should_exit = True
        await serving
