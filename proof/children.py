"""The benchmark's own processes: each runs one module, talks in lines, and never outlives its block."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from proof.errors import CannotMeasure

END_SECONDS = 10.0


class Child:
    """A running child by its module's name."""

    def __init__(self, module: str, process: asyncio.subprocess.Process) -> None:
        self._module = module
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.write(f"{line}\n".encode())
            await self._process.stdin.drain()

    async def hear(self, within: float) -> str:
        """Its next line; CannotMeasure when it ends or stays silent instead."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise CannotMeasure(f"{self._module} said nothing for {within:.0f} s") from None
        if not line:
            raise CannotMeasure(f"{self._module} ended early; what it wrote stands above")
        return line.decode().rstrip("\n")


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run `python -m module` until the block ends; what it writes to stderr is seen by the user."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield Child(module, process)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
