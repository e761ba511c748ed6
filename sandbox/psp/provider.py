"""The use cases: each key executes once, each authorization changes one step at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

from sandbox.psp import rules, tokens
from sandbox.psp.books import Books
from sandbox.psp.errors import idempotency_in_flight, not_found, provider_error
from sandbox.psp.ledger import Ledger
from sandbox.psp.metrics import Metrics
from sandbox.psp.models import Act, Authorization, Authorize, Entry, Kind, Part, Void
from sandbox.psp.rules import Call
from sandbox.psp.webhooks import Webhooks

T = TypeVar("T")

_COUNTED = frozenset({Kind.REQUIRES_ACTION, Kind.AUTHORIZED, Kind.DECLINED, Kind.FAULTED})


@dataclass(frozen=True)
class Result:
    status: int
    body: str
    replayed: bool


class Provider:
    def __init__(
        self,
        ledger: Ledger,
        books: Books,
        metrics: Metrics,
        clock: Callable[[], datetime],
        slow_seconds: float,
        webhooks: Webhooks | None = None,
    ) -> None:
        self._ledger = ledger
        self._books = books
        self._metrics = metrics
        self._clock = clock
        self._slow_seconds = slow_seconds
        self._webhooks = webhooks
        self._in_flight: dict[str, str] = {}
        self._executing: set[asyncio.Task[Any]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.stopping = asyncio.Event()

    @property
    def healthy(self) -> bool:
        return self._ledger.healthy

    async def authorize(self, key: str, wanted: Authorize, base_url: str) -> Result:
        """Charge, decline or ask the buyer, once per key. Safe to repeat with the same key."""
        rules.must_be_known(wanted.token)

        async def execute(call: Call) -> Entry:
            if wanted.token == tokens.ERROR_ONCE and key not in self._books.faulted:
                await self._record(rules.fault(call, wanted))
                raise provider_error()
            if wanted.token == tokens.SLOW:
                await self._pause()
            return await self._record(rules.authorize(call, wanted, f"auth_{uuid4().hex}", base_url))

        path = "/v1/authorizations"
        return await self._once(key, path, rules.fingerprint(path, wanted), execute)

    async def change(self, key: str, authorization_id: str, verb: str, asked: Part | Void) -> Result:
        """Capture, void or refund, once per key. Safe to repeat with the same key."""
        self.get(authorization_id)

        async def execute(call: Call) -> Entry:
            async with self._locks.setdefault(authorization_id, asyncio.Lock()):
                decide = rules.CHANGES[verb]
                return await self._record(decide(call, self.get(authorization_id), rules.amount_of(asked)))

        path = f"/v1/authorizations/{authorization_id}/{verb}"
        return await self._once(key, path, rules.fingerprint(path, asked), execute)

    async def act(self, authorization_id: str, chosen: Act) -> Authorization:
        """What the buyer does at their bank. Safe to repeat."""
        self.get(authorization_id)

        async def execute() -> Authorization:
            async with self._locks.setdefault(authorization_id, asyncio.Lock()):
                call = Call("", f"/v1/actions/{authorization_id}", "", self._clock())
                entry = rules.act(call, self.get(authorization_id), chosen)
                if entry is not None:
                    await self._record(entry)
                return self.get(authorization_id)

        return await self._to_its_end(execute())

    def get(self, authorization_id: str) -> Authorization:
        found = self._books.authorizations.get(authorization_id)
        if found is None:
            raise not_found(authorization_id)
        return found

    def find(self, key: str | None, reference: str | None) -> list[Authorization]:
        return self._books.find(key, reference)

    async def lines(self) -> bytes:
        return await self._ledger.read()

    async def close(self) -> None:
        """Let what executes come to its end, then close the ledger. Safe to repeat."""
        self.stopping.set()
        await asyncio.gather(*self._executing, return_exceptions=True)
        await self._ledger.close()

    async def _once(
        self, key: str, path: str, fingerprint: str, execute: Callable[[Call], Awaitable[Entry]]
    ) -> Result:
        stored = self._books.answers.get(key)
        if stored is not None:
            rules.must_match(stored.fingerprint, fingerprint)
            return Result(stored.status, stored.body, replayed=True)
        if key in self._in_flight:
            rules.must_match(self._in_flight[key], fingerprint)
            raise idempotency_in_flight()

        async def run() -> Entry:
            try:
                return await execute(Call(key, path, fingerprint, self._clock()))
            finally:
                del self._in_flight[key]

        self._in_flight[key] = fingerprint
        entry = await self._to_its_end(run())
        return Result(entry.status, entry.body, replayed=False)

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        # A task of its own: a caller who goes away does not undo what has begun.
        def done(task: asyncio.Task[T]) -> None:
            self._executing.discard(task)
            if not task.cancelled():
                task.exception()

        task = asyncio.create_task(work)
        self._executing.add(task)
        task.add_done_callback(done)
        return await asyncio.shield(task)

    async def _record(self, entry: Entry) -> Entry:
        written = await self._ledger.append(entry)
        self._books.apply(written)
        if self._webhooks is not None:
            self._webhooks.tell(written)
        if written.kind in _COUNTED:
            self._metrics.authorizations.labels(written.decline_code or written.kind.value).inc()
        return written

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._slow_seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
