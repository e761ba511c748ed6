"""The command line as a person runs it: in a process of its own, with an environment that we choose."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.settings import PREFIX

ENDS_WITHIN = 60.0


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it said with --json."""
        assert self.out, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class MicroMart:
    """`micromart`, where no platform runs: all that it knows are these settings."""

    settings: Mapping[str, str]
    nowhere: Path

    async def run(self, *arguments: str, typed: str = "") -> Answer:
        """One command, to its end."""
        async with self.running(*arguments) as process:
            out, err = await asyncio.wait_for(process.communicate(typed.encode()), ENDS_WITHIN)
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A command that goes on until it is told to stop; killed at the end of the block."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *arguments, "--data", str(self.nowhere)),
            env={f"{PREFIX}{name.upper()}": value for name, value in self.settings.items()},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
