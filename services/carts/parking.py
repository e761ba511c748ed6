"""What carts heard and could not react to yet, in its own Valkey."""

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from itertools import compress
from typing import Any

from redis.asyncio import Redis

from runtime.parking import Parked, Place, handler_and_subject, line_of
from services.carts import keys
from services.carts.connection import reaching

_ADD = """
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 0 then return end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[3])
"""
_FIRST = """
local event_id = redis.call('LINDEX', KEYS[1], 0)
return event_id and redis.call('HGET', KEYS[2], event_id)
"""
_REMOVE = """
redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[3], ARGV[2]) end
"""


class CartsParking:
    """A line for every handler and subject; nothing in it expires."""

    def __init__(self, redis: Redis) -> None:
        # Its types allow for bytes and for either protocol; ours answers in text.
        self._redis: Any = redis
        self._add = redis.register_script(_ADD)
        self._first = redis.register_script(_FIRST)
        self._remove = redis.register_script(_REMOVE)

    async def subjects(self) -> Collection[Place]:
        with reaching():
            lines = await self._redis.smembers(keys.PARKED_LINES)
        return {handler_and_subject(line) for line in lines}

    async def among(self, places: Collection[Place]) -> Collection[Place]:
        asked = list(places)
        with reaching():
            are_parked = await self._redis.smismember(keys.PARKED_LINES, [line_of(*place) for place in asked])
        return set(compress(asked, are_parked))

    async def add(self, parked: Parked) -> None:
        line = line_of(parked.handler, parked.subject)
        body = json.dumps(asdict(parked) | {"parked_at": parked.parked_at.isoformat()})
        with reaching():
            await self._add(keys=_keys_of(line), args=[parked.event_id, body, line])

    async def first(self, handler: str, subject: str) -> Parked | None:
        with reaching():
            body = await self._first(keys=_keys_of(line_of(handler, subject)))
        if body is None:
            return None
        fields = json.loads(body)
        return Parked(**fields | {"parked_at": datetime.fromisoformat(fields["parked_at"])})

    async def remove(self, parked: Parked) -> None:
        line = line_of(parked.handler, parked.subject)
        with reaching():
            await self._remove(keys=_keys_of(line), args=[parked.event_id, line])


def _keys_of(line: str) -> list[str]:
    return [keys.PARKED_ORDER % line, keys.PARKED_BODIES % line, keys.PARKED_LINES]
