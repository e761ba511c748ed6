"""Carts' Valkey: one client a process, and an outage of the server as Unavailable within seconds."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as ServerTooSlow

from contracts.errors import Unavailable
from runtime.cancellation import heeding_cancellation

SOCKET_SECONDS = 2.0
_OUTAGES = (ConnectionLost, ServerTooSlow, OutOfMemoryError, ReadOnlyError, OSError)
# Without a class of their own: it cannot write to its disk, too few replicas keep up, a script runs and runs.
_REFUSALS = ("MISCONF", "NOREPLICAS", "BUSY ")


def connect(url: str, *, pool_size: int = 20, patience: float = SOCKET_SECONDS) -> Redis:
    """A pooled client that gives up after seconds and sends nothing twice: an answer lost stays unknown."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=pool_size,
        timeout=patience,
        socket_connect_timeout=patience / 2,
        socket_timeout=patience,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    return Redis.from_pool(pool)


@contextmanager
def reaching() -> Iterator[None]:
    """Around every call: what is wrong with the server itself surfaces as Unavailable."""
    with heeding_cancellation():
        try:
            yield
        except _OUTAGES as error:
            raise _unavailable() from error
        except ResponseError as error:
            if not str(error).startswith(_REFUSALS):
                raise
            raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("the carts cannot be reached, try again")
