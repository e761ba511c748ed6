"""A worker in a process of its own that dies, as by kill -9, right after a step."""

import asyncio
import os
import sys
from pathlib import Path

from runtime.settings import PREFIX, Environment, Settings
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


async def died_after(module: str, step: str, settings: Settings) -> int:
    """Run this worker, which dies after the step; answers its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, step, cwd=ROOT, env=environment_of(settings)
    )
    try:
        async with asyncio.timeout(60):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def environment_of(settings: Settings) -> dict[str, str]:
    """What a process has to be told to work with these settings, on a port of its own."""
    given = settings.model_dump(include=settings.model_fields_set)
    plain = {name: getattr(value, "get_secret_value", lambda v=value: v)() for name, value in given.items()}
    ours = {f"{PREFIX}{name.upper()}": str(value) for name, value in plain.items()}
    own = {f"{PREFIX}ENVIRONMENT": Environment.DEVELOPMENT, f"{PREFIX}PORT": str(free_port())}
    return {**os.environ, **ours, **own}
