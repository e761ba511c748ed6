"""Tells the shop of every movement: signed, in no order, again and again until it has heard."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import aiohttp

from sandbox.psp.deliveries import Deliveries
from sandbox.psp.metrics import Metrics
from sandbox.psp.models import Entry, Kind

log = logging.getLogger(__name__)

SIGNATURE = "PSP-Signature"
AT_ONCE = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 30.0
TIMEOUT_SECONDS = 10.0

_TOLD = frozenset(
    {Kind.REQUIRES_ACTION, Kind.AUTHORIZED, Kind.DECLINED, Kind.CAPTURED, Kind.VOIDED, Kind.REFUNDED}
)


@dataclass(frozen=True)
class Delivery:
    """One line of the ledger on its way to the shop."""

    seq: int
    body: bytes
    attempts: int = 0

    @property
    def pause(self) -> float:
        """How long to wait after the last attempt."""
        doublings = min(self.attempts - 1, 16)
        return float(min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS))


def delivery_of(entry: Entry) -> Delivery:
    """The event's id is the same at every attempt, and no other ledger's."""
    event = {
        "id": "evt_" + hashlib.sha256(f"{entry.authorization_id}:{entry.seq}".encode()).hexdigest()[:32],
        "type": entry.kind.value,
        "created": int(entry.time.timestamp()),
        "data": {"authorization": entry.authorization_id, "reference": entry.reference},
    }
    return Delivery(entry.seq, json.dumps(event, separators=(",", ":")).encode())


def signature(secret: str, at: int, body: bytes) -> str:
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


class Webhooks:
    """What is due is derived from the ledger and from what was told: a kill loses nothing."""

    def __init__(
        self,
        url: str,
        secret: str,
        deliveries: Deliveries,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._deliveries = deliveries
        self._metrics = metrics
        self._clock = clock
        self._last = 0
        self._due: asyncio.Queue[Delivery] = asyncio.Queue()
        self._heard = True

    def replay(self, entry: Entry) -> None:
        """Take one line of an earlier run into account."""
        self._last = entry.seq
        if self._deliveries.is_due(entry.seq):
            self.tell(entry)

    def tell(self, entry: Entry) -> None:
        """Tell of a line that is durable, soon; returns at once."""
        if entry.kind in _TOLD:
            self._due.put_nowait(delivery_of(entry))

    def begin(self) -> None:
        """To be called between the replay and the first new line."""
        waiting = [self._due.get_nowait() for _ in range(self._due.qsize())]
        self._deliveries.begin(self._last, [delivery.seq for delivery in waiting])
        for delivery in waiting:
            self._due.put_nowait(delivery)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell for as long as the block lasts; what is due then is told by the next run."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            senders = [asyncio.create_task(self._send(session)) for _ in range(AT_ONCE)]
            try:
                yield
            finally:
                for sender in senders:
                    sender.cancel()
                for sender in senders:
                    with suppress(asyncio.CancelledError):
                        await sender
                self._deliveries.close()

    async def _send(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        while True:
            delivery = await self._due.get()
            problem = await self._problem(session, delivery)
            self._note(problem)
            if problem is None:
                self._deliveries.done(delivery.seq)
            else:
                later = replace(delivery, attempts=delivery.attempts + 1)
                loop.call_later(later.pause, self._due.put_nowait, later)

    async def _problem(self, session: aiohttp.ClientSession, delivery: Delivery) -> str | None:
        """Why the shop did not take it; None when it did."""
        headers = {
            "content-type": "application/json",
            SIGNATURE: signature(self._secret, int(self._clock()), delivery.body),
        }
        try:
            async with session.post(
                self._url, data=delivery.body, headers=headers, allow_redirects=False
            ) as answer:
                return None if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__

    def _note(self, problem: str | None) -> None:
        self._metrics.webhooks.labels("refused" if problem else "heard").inc()
        if problem is not None and self._heard:
            log.warning("webhooks are not heard, they are sent again: %s", problem)
        self._heard = problem is None
