"""One request of a connection and the writing of its answer."""

from collections.abc import Callable, Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_WITHOUT_BODY = frozenset({204, 304})


class EdgeCycle(RequestResponseCycle):
    """Uvicorn's cycle, which frames answers itself: what an application says of framing is not passed on."""

    def __init__(self, *, write: Callable[[bytes], None], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._write = write
        self._is_11 = self.scope["http_version"] == "1.1"
        # What is to come still; None where the answer's end is told otherwise.
        self._left: int | None = None
        self._bodiless = False
        # Written together with the answer's first piece, in one packet where that is small.
        self._head = b""

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        else:
            self._continue(message.get("body", b""), message.get("more_body", False))

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if self.response_started:
            raise RuntimeError("an answer was begun twice")
        self.response_started = True
        self.waiting_for_100_continue = False
        # A body that was not waited for is not read to its end either.
        if self.more_body:
            self.keep_alive = False
        self._bodiless = self.scope["method"] == "HEAD" or status in _WITHOUT_BODY
        lines = [STATUS_LINE[status][:-2]]
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            elif name == b"transfer-encoding":
                continue
            lines.append(name + b": " + value)
        if self._left is None and not self._bodiless:
            # A client of HTTP/1.0 knows no chunks: its answer ends with the connection.
            if self._is_11:
                self.chunked_encoding = True
                lines.append(b"transfer-encoding: chunked")
            else:
                self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close")
        head = b"\r\n".join(lines)
        breaks = len(lines) - 1
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
            self.response_started = False
            raise RuntimeError("an answer's header holds a line break or a null byte")
        self._head = head + b"\r\n\r\n"

    def _continue(self, body: bytes, more: bool) -> None:
        if not self.response_started or self.response_complete:
            raise RuntimeError("a piece of an answer came before its start or after its end")
        data, self._head = self._head, b""
        if self._bodiless:
            pass
        elif self.chunked_encoding:
            if body:
                data += b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                data += b"0\r\n\r\n"
        else:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0 or (self._left and not more):
                    raise RuntimeError("an answer is not as long as it said")
            data += body
        if data:
            self._write(data)
        if not more:
            self.response_complete = True
            self.message_event.set()
            self.on_response()
