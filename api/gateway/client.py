"""The client's side of an exchange: its body, never more than the limit, and whether it is still there."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from starlette.types import Message, Receive, Send

from api.gateway.errors import BodyTooLarge, ClientLeft
from api.gateway.head import RequestHead

WATCH_AFTER_SECONDS = 0.05


class Client:
    """Hands out a request's body once, then watches whether its sender waits for the answer."""

    def __init__(self, receive: Receive, head: RequestHead, *, max_body_bytes: int) -> None:
        """BodyTooLarge where the head announces more than that: then nothing of it is read."""
        if head.content_length is not None and head.content_length > max_body_bytes:
            raise BodyTooLarge(max_body_bytes)
        self._receive = receive
        self.max_body_bytes = max_body_bytes
        self._body_read = asyncio.Event()
        if not head.has_body:
            self._body_read.set()
        self._received = 0
        self.left = False
        self.exceeded = False
        # Whether its body is waited for, and whether it is waited for to take a piece of the answer.
        self.is_awaited = False
        self.is_taking = False

    async def read(self) -> bytes:
        """The whole body."""
        chunks = [chunk async for chunk in self.stream()]
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it comes, taken no faster than they are used."""
        more = True
        while more:
            self.is_awaited = True
            message = await self._receive()
            self.is_awaited = False
            if message["type"] == "http.disconnect":
                self.left = True
                raise ClientLeft
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            self._received += len(chunk)
            if self._received > self.max_body_bytes:
                self.exceeded = True
                raise BodyTooLarge(self.max_body_bytes)
            if chunk:
                yield chunk
        self._body_read.set()

    def taking(self, send: Send) -> Send:
        """The same `send`, of which is known when the client makes it wait."""

        async def watched(message: Message) -> None:
            self.is_taking = True
            await send(message)
            self.is_taking = False

        return watched

    def waiting(self) -> "_Waiting":
        """A block that is cancelled, and ends in ClientLeft, when the client closes its connection."""
        return _Waiting(self)

    async def departure(self) -> None:
        """Return when the client has closed its connection."""
        await self._body_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True


class _Waiting:
    """Most answers come before it is worth a task to watch for a client that leaves: so that starts late."""

    __slots__ = ("_client", "_start", "_task", "_watch")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._start = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._start.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._client.left and kind is asyncio.CancelledError:
            self._task.uncancel()
            raise ClientLeft from None

    def _begin(self) -> None:
        self._watch = asyncio.create_task(self._cancel_on_departure())

    async def _cancel_on_departure(self) -> None:
        await self._client.departure()
        self._task.cancel()
