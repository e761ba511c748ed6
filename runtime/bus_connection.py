"""The bus's server: one client a process, and whatever is wrong with it as Unavailable within seconds."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from contracts.errors import Unavailable
from runtime.cancellation import heeding_cancellation

ANSWER_SECONDS = 3.0


def connect(url: str, *, patience: float) -> Redis:
    """A client that gives up after seconds; reading blocks, so it has connections to spare."""
    return Redis.from_url(
        url,
        max_connections=16,
        socket_connect_timeout=patience / 3,
        socket_timeout=patience,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        # What is not text is not an event, and waits with its reason as any that cannot be read.
        encoding_errors="replace",
    )


@contextmanager
def reaching() -> Iterator[None]:
    """Around every call: what is wrong with the server itself surfaces as Unavailable."""
    with heeding_cancellation():
        try:
            yield
        except ResponseError as error:
            # Whether a group is there is asked by trying. All else tells of the server: it is out of memory,
            # or a replica.
            if str(error).startswith(("NOGROUP", "BUSYGROUP")):
                raise
            raise Unavailable(f"the bus refuses: {error}") from error
        except (RedisError, OSError) as error:
            raise Unavailable("the bus cannot be reached") from error
