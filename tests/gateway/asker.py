"""A client that asks as fast as it is answered, over one connection that it keeps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from yarl import URL


class Asker:
    """Sends requests as they are, one after another, and tells the status of each answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> int:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))
        return int(head[9:12])


@asynccontextmanager
async def asking(url: str, address: str = "127.0.0.1") -> AsyncIterator[Asker]:
    """An asker from one of this machine's addresses."""
    to = URL(url)
    reader, writer = await asyncio.open_connection(to.host, to.port, local_addr=(address, 0))
    try:
        yield Asker(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
