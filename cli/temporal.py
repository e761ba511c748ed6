"""Asking Temporal from a command that ends right after."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from contracts.errors import Unavailable
from runtime.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.runtime import Runtime

Answer = TypeVar("Answer")


def ask_temporal(settings: Settings, question: "Callable[[Client], Awaitable[Answer]]") -> Answer:
    """The answer to one question; Unavailable where Temporal is away or refuses."""
    from temporalio.runtime import Runtime, TelemetryConfig

    answer = asyncio.run(_asked(settings, question, Runtime(telemetry=TelemetryConfig())))
    # The SDK's threads call into Python for a moment after an answer, and an interpreter that ends meanwhile
    # is aborted (temporalio/sdk-python#300). Once nothing holds their runtime, it has waited for them.
    gc.collect()
    if isinstance(answer, Unavailable):
        raise answer
    return answer


async def _asked(
    settings: Settings, question: "Callable[[Client], Awaitable[Answer]]", runtime: "Runtime"
) -> Answer | Unavailable:
    """The answer, or what to say where there is none: raised here, it would hold on to the runtime."""
    from temporalio.service import RPCError

    from runtime.temporal import connect

    try:
        client = await connect(settings, runtime=runtime)
    except RuntimeError:
        return Unavailable(f"Temporal cannot be reached at {settings.temporal_address}")
    try:
        return await question(client)
    except RPCError as error:
        return Unavailable(f"Temporal at {settings.temporal_address} does not answer: {error.message}")
