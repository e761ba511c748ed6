"""The mail sink as a process of its own, on ports and in a folder that it keeps when it is restarted."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

import aiohttp

from sandbox.mail.mailbox import Message
from tests.polling import until
from tests.ports import free_port

ROOT = Path(__file__).parents[1]


@dataclass
class MailSink:
    port: int
    smtp_port: int
    folder: Path
    _process: asyncio.subprocess.Process | None = None

    @classmethod
    def nowhere(cls) -> Self:
        """One that never runs."""
        return cls(free_port(), free_port(), Path())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def smtp_url(self) -> str:
        return f"smtp://127.0.0.1:{self.smtp_port}"

    async def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MICROMART_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox.mail",
            cwd=ROOT,
            env=inherited
            | {
                "MICROMART_PORT": str(self.port),
                "MICROMART_SMTP_PORT": str(self.smtp_port),
                "MICROMART_MAIL_FOLDER": str(self.folder),
            },
            stdout=asyncio.subprocess.DEVNULL,
        )
        await until(self._is_ready)

    async def kill(self) -> None:
        """End it as a crash does; safe to repeat."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def stop(self, by: signal.Signals) -> int:
        """Tell it to end, and answer its exit code."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(by)
        return await process.wait()

    async def messages(self, to: str) -> list[Message]:
        """What arrived for an address, in the order of arrival."""
        asked = f"{self.url}/messages?to={quote(to)}"
        async with aiohttp.ClientSession() as session, session.get(asked) as answer:
            assert answer.status == 200
            items = (await answer.json())["items"]
        return [Message.model_validate(item | {"sender": item["from"]}) for item in items]

    async def raw(self, message_id: str) -> bytes:
        async with aiohttp.ClientSession() as session, session.get(self._at(message_id)) as answer:
            assert answer.status == 200
            return await answer.read()

    def _at(self, message_id: str) -> str:
        return f"{self.url}/messages/{message_id}"

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, "the mail sink did not start"
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def running_sink(folder: Path) -> AsyncIterator[MailSink]:
    """A sink that keeps its mail in `folder`, ended with the block."""
    sink = MailSink(free_port(), free_port(), folder)
    try:
        await sink.start()
        yield sink
    finally:
        await sink.kill()
