"""A server whose every answer begins as an honest one and goes on for 50 MB."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_PIECE = b" " * 50_000
_PIECES = 1_000


@dataclass
class EndlessServer:
    """What it says before the blanks, which JSON allows at its end; and whether its reader hung up on it."""

    status: int = 200
    says: object = None
    url: str = ""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = json.dumps(self.says).encode()
        try:
            await reader.readuntil(b"\r\n\r\n")
            length = len(start) + _PIECES * len(_PIECE)
            head = f"HTTP/1.1 {self.status} As said\r\ncontent-type: application/json\r\n"
            writer.write(f"{head}content-length: {length}\r\nconnection: close\r\n\r\n".encode() + start)
            for _ in range(_PIECES):
                writer.write(_PIECE)
                await writer.drain()
        except ConnectionError:
            self.hung_up.set()
        finally:
            writer.close()


@asynccontextmanager
async def endless_server(status: int = 200, says: object = None) -> AsyncIterator[EndlessServer]:
    endless = EndlessServer(status, says)
    server = await asyncio.start_server(endless.answer, "127.0.0.1", 0)
    async with server:
        endless.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield endless
