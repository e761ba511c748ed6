"""The count that all gateway processes share: a moving window for each caller and class, kept in Valkey.

A script of our own instead of the `limits` library's: that one goes by each process's own clock, needs a
second round trip to say what is left, and cannot answer many callers in one trip or grant a part of a lease.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from redis.asyncio import Redis

from api.gateway.leases import Lease
from api.gateway.quotas import Quota

# Longer than Valkey ever takes when it is well; then it is given up for a while.
ANSWER_SECONDS = 0.04
# What has arrived while this process itself was too busy to read it counts as in time.
GRACE_SECONDS = 0.01
COOLDOWN_SECONDS = 1.0
# One script runs alone in Valkey: so many callers at once keep it below a few milliseconds.
ASKS_PER_TRIP = 256

# KEYS: the windows. ARGV: six for each (quota, milliseconds, wanted, ahead, given back, when that was taken).
# A window is a list of the moments at which its permits were taken, newest first. Answers the time, then for
# each key: permits granted (those ahead last), what is left then, milliseconds until there is more.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {now}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 6
  local quota, window = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local wanted, ahead = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  if ARGV[at + 5] ~= '0' then redis.call('LREM', key, ARGV[at + 5], ARGV[at + 6]) end
  local oldest = tonumber(redis.call('LINDEX', key, -1))
  -- The clock was set back: these moments would count for longer than a window.
  if oldest and oldest > now + 1000 then
    redis.call('DEL', key)
    oldest = nil
  end
  if oldest and oldest + window <= now then
    local kept, gone = 0, redis.call('LLEN', key)
    while kept < gone do
      local middle = math.floor((kept + gone) / 2)
      if redis.call('LINDEX', key, middle) + window > now then kept = middle + 1 else gone = middle end
    end
    if kept > 0 then redis.call('LTRIM', key, 0, kept - 1) else redis.call('DEL', key) end
    oldest = tonumber(redis.call('LINDEX', key, -1))
  end
  local left = quota - redis.call('LLEN', key)
  local granted = math.max(0, math.min(left, wanted))
  -- Of the last permits few lie idle in one process while another one refuses.
  granted = granted + math.max(0, math.min(ahead, math.floor((left - granted) / 4)))
  for _ = 1, granted do redis.call('LPUSH', key, now) end
  if granted > 0 then redis.call('PEXPIRE', key, window) end
  answer[#answer + 1] = granted
  answer[#answer + 1] = math.max(0, left - granted)
  answer[#answer + 1] = (oldest or now) + window - now
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether one request may pass, what is left after it, and in how many seconds there is more."""

    granted: bool
    remaining: int
    seconds: float


@dataclass(slots=True)
class _Ask:
    """All that is asked of one window in one trip."""

    key: str
    quota: Quota
    lease: Lease | None
    waiting: list[asyncio.Future[Taken | None]] = field(default_factory=list)

    def arguments(self, now: float) -> tuple[int, int, int, int, int, int]:
        quota, lease = self.quota, self.lease
        given_back = ahead = taken_at = 0
        if lease is not None:
            given_back, taken_at = lease.give_back(now), lease.taken_at
            ahead = lease.wish(quota.ahead, now) if self.waiting else 0
        return quota.permits, quota.seconds * 1_000, len(self.waiting), ahead, given_back, taken_at

    def settle(self, granted: int, remaining: int, milliseconds: int, taken_at: int, now: float) -> None:
        seconds = milliseconds / 1_000
        used = min(granted, len(self.waiting))
        ahead = granted - used
        if self.lease is not None and granted:
            self.lease.renew(
                used=used,
                permits=ahead,
                remaining=remaining,
                resets_at=now + seconds,
                taken_at=taken_at,
                now=now,
            )
        for place, waiting in enumerate(self.waiting):
            # One who left while waiting has used up a permit all the same.
            if not waiting.done():
                waiting.set_result(Taken(place < used, max(0, remaining + granted - place - 1), seconds))

    def give_up(self) -> None:
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(None)


class Tally:
    """Takes permits from the shared windows; what is asked while a trip is under way shares the next one.

    When Valkey does not answer well and in time, nobody waits for it: `is_up` is false then, until it answers
    again. A trip that was given up may have counted.
    """

    def __init__(
        self,
        redis: Redis,
        secret: str,
        *,
        changed: Callable[[Exception | None], None],
        now: Callable[[], float],
        answer_seconds: float,
    ) -> None:
        self.is_up = False
        self._script = redis.register_script(_TAKE)
        # Addresses are few enough to be guessed from a plain digest.
        self._digest = hashlib.blake2b(
            key=hashlib.sha256(f"micromart.limits:{secret}".encode()).digest(), digest_size=16
        )
        self._now = now
        self._answer_seconds = answer_seconds
        self._changed = changed
        self._asks: dict[str, _Ask] = {}
        self._trips: asyncio.Task[None] | None = None
        self._return: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find out whether Valkey is there; if not, look for it again and again."""
        try:
            await self._probe()
        except Exception as error:
            self._leave(error)
        else:
            self._come_back()

    async def close(self) -> None:
        self.is_up = False
        tasks = {task for task in (self._trips, self._return) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def take(self, quota: Quota, principal: str, lease: Lease | None = None) -> Taken | None:
        """One permit, or a refusal; None when Valkey cannot tell. Not safe to repeat: each call counts."""
        waiting: asyncio.Future[Taken | None] = asyncio.get_running_loop().create_future()
        self._ask(quota, principal, lease).waiting.append(waiting)
        return await waiting

    def give_back(self, quota: Quota, principal: str, lease: Lease) -> None:
        """Return what a lapsed lease still holds, with the next trip."""
        self._ask(quota, principal, lease)

    def _ask(self, quota: Quota, principal: str, lease: Lease | None) -> _Ask:
        key = self._key(quota, principal)
        ask = self._asks.get(key)
        if ask is None:
            ask = self._asks[key] = _Ask(key, quota, lease)
            if self._trips is None:
                self._trips = asyncio.create_task(self._travel())
        return ask

    def _key(self, quota: Quota, principal: str) -> str:
        digest = self._digest.copy()
        digest.update(principal.encode())
        return f"limits:{quota.limit_class}:{digest.hexdigest()}"

    async def _travel(self) -> None:
        """One trip after another, until nobody asks any more."""
        asks: list[_Ask] = []
        try:
            while self._asks:
                asks = list(islice(self._asks.values(), ASKS_PER_TRIP))
                for ask in asks:
                    del self._asks[ask.key]
                await self._trip(asks)
        except Exception as error:
            self._leave(error)
        finally:
            self._trips = None
            asks += self._asks.values()
            self._asks.clear()
            for ask in asks:
                ask.give_up()

    async def _trip(self, asks: Sequence[_Ask]) -> None:
        now = self._now()
        arguments = [argument for ask in asks for argument in ask.arguments(now)]
        answer = await self._answer([ask.key for ask in asks], arguments)
        now = self._now()
        for place, ask in enumerate(asks):
            granted, remaining, milliseconds = answer[1 + 3 * place : 4 + 3 * place]
            ask.settle(granted, remaining, milliseconds, answer[0], now)

    async def _answer(self, keys: list[str], arguments: list[int]) -> list[int]:
        """What the script says; TimeoutError when it does not say so soon."""
        running = asyncio.ensure_future(cast(Awaitable[list[int]], self._script(keys=keys, args=arguments)))
        try:
            for seconds in (self._answer_seconds, GRACE_SECONDS):
                done, _ = await asyncio.wait({running}, timeout=seconds)
                if done:
                    return running.result()
            raise TimeoutError("Valkey did not answer in time")
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait({running}, timeout=GRACE_SECONDS)

    async def _probe(self) -> None:
        """Take what every request takes: a Valkey that answers pings may refuse to write."""
        await self._answer(["limits:probe"], [1, 1, 1, 0, 0, 0])

    def _come_back(self) -> None:
        self.is_up = True
        self._changed(None)

    def _leave(self, error: Exception) -> None:
        self.is_up = False
        self._changed(error)
        if self._return is None:
            self._return = asyncio.create_task(self._look_again())

    async def _look_again(self) -> None:
        while not self.is_up:
            await asyncio.sleep(COOLDOWN_SECONDS)
            try:
                await self._probe()
            except Exception as error:
                self._changed(error)
            else:
                self._come_back()
        self._return = None
