"""A PostgreSQL that does not serve is an outage and not a bug, whatever it says of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from api.inventory.app import inventory_app
from contracts.errors import Unavailable
from contracts.problems import PROBLEM_JSON
from runtime.database import Database
from runtime.settings import Settings
from runtime.shards import shard_of
from tests.conftest import FreshDatabase, Servers
from tests.http_server import serving
from tests.polling import until
from tests.stores.events_bench import SERVICE, a_subject, open_bench
from workers.process import end_all


@asynccontextmanager
async def full(servers: Servers, url: str) -> AsyncIterator[None]:
    """The database takes no connection, and has none, until the block ends."""
    name = make_url(url).database
    admin = await asyncpg.connect(servers.postgres_admin_url)
    try:
        await admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
        await admin.close()


@pytest.fixture
async def url(fresh_database: FreshDatabase) -> str:
    return await fresh_database("inventory")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database(url)
    yield opened
    await opened.dispose()


async def test_one_that_has_no_connection_left_is_an_outage(
    servers: Servers, url: str, database: Database
) -> None:
    await database.ping()
    async with full(servers, url):
        for _ in range(2):
            with pytest.raises(Unavailable):
                await database.ping()
    await database.ping()


@pytest.mark.parametrize("sqlstate", ["53100", "53300", "57P01", "57P03", "08006"])
async def test_what_tells_of_the_server_is_an_outage(database: Database, sqlstate: str) -> None:
    with pytest.raises(Unavailable):
        await _raise(database, sqlstate)


@pytest.mark.parametrize("sqlstate", ["22012", "40001", "57014"])
async def test_what_tells_of_the_statement_is_not(database: Database, sqlstate: str) -> None:
    with pytest.raises(DBAPIError):
        await _raise(database, sqlstate)


async def test_an_api_answers_that_it_is_unavailable(servers: Servers, url: str) -> None:
    secret = SecretStr("a secret of the tests")
    settings = Settings(identity_secret=secret, service_secret=secret, inventory_database_url=SecretStr(url))
    async with (
        serving(inventory_app(settings)) as api,
        aiohttp.ClientSession(api) as session,
        full(servers, url),
        session.get("/v1/inventory/SKU-1") as response,
    ):
        assert (response.status, response.content_type) == (503, PROBLEM_JSON)
        assert json.loads(await response.text())["code"] == "service.unavailable"


async def test_a_consumer_outlives_it(servers: Servers, fresh_database: FreshDatabase) -> None:
    subject = a_subject()
    async with open_bench(servers, fresh_database) as bench:
        await bench.say(subject, 1)
        await bench.relayed()
        stream = f"events:{SERVICE}:{shard_of(subject)}"

        async def has_come_again() -> bool:
            delivered = await bench.redis.xpending_range(stream, SERVICE, "-", "+", 1)
            return any(int(one["times_delivered"]) > 1 for one in delivered)

        consumer = bench.consumer
        loops: list[asyncio.Future[None]] = []
        try:
            async with full(servers, bench.url):
                loops += [asyncio.ensure_future(loop()) for loop in (consumer.run, consumer.sweep)]
                await until(has_come_again)

            async def is_heard() -> bool:
                return await bench.effects(subject) == [1]

            await until(is_heard)
        finally:
            await end_all(loops)


async def _raise(database: Database, sqlstate: str) -> None:
    statement = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"
    async with database.begin() as connection:
        await connection.execute(text(statement))
