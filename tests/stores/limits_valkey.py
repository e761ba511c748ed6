"""A Valkey that a test may kill, freeze and start again."""

import asyncio
import subprocess
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from runtime.embedded.probes import serves
from runtime.embedded.servers import ValkeyServer
from tests.polling import until
from tests.ports import free_port


class Valkey:
    """A server of the test's own, to be killed, frozen and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._server = ValkeyServer("valkey-limits", free_port(), folder, durable=False)
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        self._process = self._server.start(self._log)
        await until(self._serves)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(SIGCONT)

    async def _serves(self) -> bool:
        return await asyncio.to_thread(serves, self._server.probe)
