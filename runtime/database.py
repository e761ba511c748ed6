"""PostgreSQL: one engine a process, one transaction a use case."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from contracts.errors import Unavailable

# What an SQLSTATE begins with that tells of the server and not of the statement: the connection, its
# resources (too many connections, a full disk), an intervention (it starts up, or is shut down).
_OUTAGES = ("08", "53", "57P")

_IN_USE = Gauge("micromart_database_connections_in_use", "Connections checked out of the pool", ["database"])


class Database:
    """A service's own database; what is wrong with the server itself surfaces as Unavailable."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self._engine = create_engine(url, pool_size=pool_size)
        pool = self._engine.pool
        if isinstance(pool, AsyncAdaptedQueuePool):
            _IN_USE.labels(self._engine.url.database or "").set_function(pool.checkedout)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
            raise Unavailable("the database cannot be reached, try again") from error
        except DBAPIError as error:
            if error.connection_invalidated or _is_outage(error):
                raise Unavailable("the database does not serve now, try again") from error
            raise

    async def ping(self) -> None:
        async with self.begin() as connection:
            await connection.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        await self._engine.dispose()


def create_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine that gives up on a server after seconds, not minutes."""
    return create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=15,
        connect_args={"timeout": 5, "command_timeout": 15},
        # What was written may be a secret or a person's address; an error's text ends up in the log.
        hide_parameters=True,
    )


def _is_outage(error: DBAPIError) -> bool:
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate is not None and sqlstate.startswith(_OUTAGES)


def async_url(url: str) -> str:
    """`postgresql://` as everybody writes it, with the driver that we use."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)
