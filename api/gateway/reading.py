"""Reading requests off a connection: in one way only, and never without a bound."""

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.gateway.cycle import EdgeCycle
from api.gateway.errors import GatewayRefusal, HeadTooLarge, MalformedRequest
from api.gateway.framing import cause_of, refuse_unframed
from api.gateway.head import MAX_HEAD_BYTES, MAX_HEADERS
from api.gateway.paths import origin_form

# Read ahead while an earlier answer is due; what comes beyond is not read, and the connection ends.
MAX_PIPELINED = 64
# What may stand around a body's bytes (head, chunk sizes, extensions, trailers): so much, and so much a byte.
MAX_FRAMING_BYTES = 2 * MAX_HEAD_BYTES
FRAMING_PER_BODY_BYTE = 8
_ASGI = {"version": "3.0", "spec_version": "2.3"}


class _Enough(Exception):
    """Raised into the parser: nothing that follows is read."""


class StrictReader(HttpToolsProtocol):
    """The receiving half: what could be read in two ways is refused, and no part of a request is endless."""

    transport: Any
    cycle: EdgeCycle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._running: EdgeCycle | None = None
        # Parsed in the piece that is being read: it starts when all of that piece has proved readable.
        self._next: EdgeCycle | None = None
        # The one whose body is being received.
        self._open: EdgeCycle | None = None
        # Nothing more is read: the connection ends with what is to be answered yet.
        self._deaf = False
        self._reading_since: float | None = None
        self._in_head = False
        self._piece = 0
        # How much more may stand around the body's bytes.
        self._slack = 0
        self._received = 0

    def _run(self, cycle: EdgeCycle) -> None:
        raise NotImplementedError

    def _refuse(self, error: GatewayRefusal) -> None:
        raise NotImplementedError

    def _write(self, data: bytes) -> None:
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._piece = len(data)
        refusal: GatewayRefusal | None = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The protocol stays what it is; that request was the last one.
            self._deaf = True
        except httptools.HttpParserError as error:
            if not self._deaf:
                refusal = cause_of(error)
        if refusal is None and self._reading_since is not None:
            self._slack -= len(data)
            if self._slack < 0:
                refusal = (
                    HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS)
                    if self._in_head
                    else MalformedRequest("Far more stands around the body's bytes than there are of them.")
                )
        if refusal is not None:
            self._refuse(refusal)
        if self._next is not None:
            started, self._next = self._next, None
            self._run(started)

    def on_message_begin(self) -> None:
        if self._deaf:
            raise _Enough
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._reading_since = self.loop.time()
        # The piece that it begins in is not counted: most of it may be an earlier request's.
        self._slack = MAX_FRAMING_BYTES + self._piece

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer would else be read as a header, unless it came late.
        if not self._in_head:
            return
        name = name.lower()
        if name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise MalformedRequest("The one transfer encoding that is taken is `chunked`.")
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        parser = self.parser
        version = parser.get_http_version()
        method = parser.get_method().decode("ascii")
        is_upgrade = parser.should_upgrade()
        refuse_unframed(version, method, self.headers, is_upgrade=is_upgrade)
        raw_path, query = origin_form(self.url, method, self.headers)
        path = raw_path.decode("ascii")
        # Uvicorn's `state` is left out: the gateway keeps none.
        scope: Any = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
        }
        self.scope = scope
        self._queue(self._cycle_of(scope, stays=not is_upgrade and parser.should_keep_alive()))

    def _cycle_of(self, scope: Any, *, stays: bool) -> EdgeCycle:
        is_11 = scope["http_version"] == "1.1"
        return EdgeCycle(
            write=self._write,
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=is_11 and self.expect_100_continue,
            keep_alive=is_11 and stays,
            on_response=self.on_response_complete,
        )

    def _queue(self, cycle: EdgeCycle) -> None:
        self.cycle = self._open = cycle
        if self._running is None and self._next is None:
            self._next = cycle
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
            if len(self.pipeline) >= MAX_PIPELINED:
                cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        cycle = self._open
        assert cycle is not None
        self._received += len(body)
        self._slack += len(body) * (1 + FRAMING_PER_BODY_BYTE)
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        cycle, self._open = self._open, None
        assert cycle is not None
        self._reading_since = None
        cycle.more_body = False
        cycle.message_event.set()
        if not cycle.keep_alive:
            self._deaf = True
