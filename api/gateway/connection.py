"""A client's connection: what cannot be read in one way only is refused, who dawdles is cut."""

import asyncio
from typing import Any, ClassVar

from prometheus_client import Counter

from api.gateway.addresses import UNKNOWN, Addresses
from api.gateway.cycle import EdgeCycle
from api.gateway.errors import BodyTooSlow, GatewayRefusal, HeadTooSlow, TooManyConnections
from api.gateway.framing import last_answer
from api.gateway.occupancy import Leave, Occupancy
from api.gateway.patience import Patience, Progress
from api.gateway.reading import StrictReader
from api.gateway.tarpit import Tarpit
from runtime.settings import Settings

CUT = Counter(
    "micromart_gateway_connections_cut_total", "Connections ended for what they sent or held", ["reason"]
)


class EdgeProtocol(StrictReader):
    """Uvicorn's connection with bounds on everything that a client decides.

    An answer is never written amidst another: a refusal waits for the answers that are due before it.
    """

    patience: ClassVar[Patience] = Patience()
    tarpit: ClassVar[Tarpit] = Tarpit()
    occupancy: ClassVar[Occupancy] = Occupancy()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = self.loop.time()
        patience = self.patience
        self._timer: asyncio.TimerHandle | None = None
        self._leave: Leave | None = None
        self._last_words: bytes | None = None
        self._hung_up = False
        self._written = 0
        self._idle_since = now
        self._body = Progress(patience.body, patience.body_bytes_per_second, now)
        self._answer = Progress(patience.answer, patience.answer_bytes_per_second, now)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.patience.look, self._look)
        try:
            self._leave = self.occupancy.enter(self._peer)
        except TooManyConnections as error:
            self._turn_away(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._leave is not None:
            self._leave()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else UNKNOWN

    def _turn_away(self, error: TooManyConnections) -> None:
        """Answer without waiting for a request: one that has to be read is a connection held open."""
        self._deaf = True
        self._leave = self.occupancy.be_told()
        if self._leave is None:
            self.transport.abort()
        else:
            self._say_last(last_answer(error))

    def _run(self, cycle: EdgeCycle) -> None:
        self._running = cycle
        self._start_asgi_task(cycle, self.app)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        cycle, self._running = self._running, None
        if cycle is None or self.transport.is_closing():
            return
        if not cycle.keep_alive:
            self._hang_up()
        elif self.pipeline:
            self._run(self.pipeline.pop()[0])  # type: ignore[arg-type]  # only ours are put there
        elif self._last_words is not None:
            self._say_last(self._last_words)
        else:
            self.flow.resume_reading()
            self._idle_since = self.loop.time()

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self.transport.write(data)

    def _refuse(self, error: GatewayRefusal) -> None:
        """Answer for what cannot be read on from, after all that was read before it, and hang up."""
        CUT.labels(error.code).inc()
        self._deaf = True
        unread, self._open = self._open, None
        self._reading_since = None
        if unread is not None:
            self._forget(unread)
            if unread.response_started:
                self.transport.abort()
                return
        words = last_answer(error)
        if self._running is not None or self._next is not None:
            self._last_words = words
        elif held := self.tarpit.hold(self._peer):
            self.loop.call_later(held, self._say_last, words)
        else:
            self._say_last(words)

    def _forget(self, cycle: EdgeCycle) -> None:
        """Let a request that never became whole reach nobody, or tell the one whom it has reached."""
        if cycle is self._next:
            self._next = None
        elif cycle is self._running:
            self._running = None
            cycle.disconnected = True
            cycle.message_event.set()
            self.flow.resume_writing()
        else:
            self.pipeline.popleft()

    def _say_last(self, words: bytes) -> None:
        if not self.transport.is_closing():
            self._write(words)
            self._hang_up()

    def _hang_up(self) -> None:
        """Say no more, and leave the closing to the client: what it sends yet would undo the last answer."""
        self._deaf = True
        self.pipeline.clear()
        self._hung_up = True
        self._idle_since = self.loop.time()
        self.transport.write_eof()
        self.flow.resume_reading()

    def _look(self) -> None:
        """Cut the connection if it has kept us waiting too long, or look again later."""
        self._timer = self.loop.call_later(self.patience.look, self._look)
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if unsent and self._answer.has_stalled(now, self._written - unsent):
            CUT.labels("answer_not_taken").inc()
            self.transport.abort()
        elif unsent:
            self._idle_since = now
            self._body.restart(now, self._received)
        elif self._hung_up:
            if now - self._idle_since > self.patience.linger:
                self.transport.abort()
        elif not self.transport.is_closing():
            self._hurry(now)

    def _hurry(self, now: float) -> None:
        patience = self.patience
        self._answer.restart(now, self._written)
        body = self._open
        if body is None or body.waiting_for_100_continue or self.flow.read_paused:
            self._body.restart(now, self._received)
        elif self._body.has_stalled(now, self._received):
            self._refuse(BodyTooSlow("The request's body did not arrive in time."))
            return
        if self._reading_since is not None:
            if self._in_head and now - self._reading_since > patience.head:
                self._refuse(HeadTooSlow("The request's head did not arrive in time."))
        elif self._running is None and now - self._idle_since > (
            patience.idle if self._written else patience.head
        ):
            self.transport.close()


def edge_protocol(settings: Settings) -> type[EdgeProtocol]:
    """Connections of a gateway, together never more than its settings allow."""

    class Bounded(EdgeProtocol):
        occupancy = Occupancy(
            settings.max_connections,
            settings.max_connections_per_address,
            is_proxy=Addresses(settings.trusted_proxies).is_proxy,
        )

    return Bounded
