"""The sandbox payment provider as a process of its own, on a port that it keeps when it is restarted."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe

from sandbox.psp.models import Entry, Kind
from tests.ports import free_port

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 60.0


@dataclass
class Psp:
    """A running provider; its ledger file outlives it, as money does."""

    port: int
    ledger_file: Path
    slow_seconds: float
    api_key: str = field(default_factory=token_urlsafe)
    webhook_secret: str = field(default_factory=token_urlsafe)
    webhook_url: str = ""
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ledger(self, *, kind: Kind | None = None, reference: str | None = None) -> list[Entry]:
        """What it has on record, also while it is down; of one kind or one of our orders where asked."""
        lines = self.ledger_file.read_bytes().splitlines(keepends=True)
        entries = [Entry.model_validate_json(line) for line in lines if line.endswith(b"\n")]
        return [
            entry for entry in entries if kind in (None, entry.kind) and reference in (None, entry.reference)
        ]

    async def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MICROMART_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox.psp",
            cwd=ROOT,
            env=inherited
            | {
                "MICROMART_PORT": str(self.port),
                "MICROMART_PSP_LEDGER": str(self.ledger_file),
                "MICROMART_PSP_API_KEY": self.api_key,
                "MICROMART_PSP_SLOW_SECONDS": str(self.slow_seconds),
                "MICROMART_PSP_WEBHOOK_URL": self.webhook_url,
                "MICROMART_PSP_WEBHOOK_SECRET": self.webhook_secret,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._process = process
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            listening = await process.stdout.readline()
        if not listening:
            _, said = await process.communicate()
            raise RuntimeError(f"the payment provider did not start: {said.decode()}")

    async def kill(self) -> None:
        """End it as a crash does; safe to repeat."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def restart(self) -> None:
        """Kill it and start it again on the same port and ledger."""
        await self.kill()
        await self.start()


@asynccontextmanager
async def running_psp(
    folder: Path, *, slow_seconds: float = 0.5, webhook_url: str = ""
) -> AsyncIterator[Psp]:
    """A provider with its ledger in `folder`, ended with the block; it reports to the URL, if any."""
    psp = Psp(free_port(), folder / "psp-ledger.jsonl", slow_seconds, webhook_url=webhook_url)
    try:
        await psp.start()
        yield psp
    finally:
        await psp.kill()
