"""Every PostgreSQL service's migrations: from empty to the tables that its code knows, once."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, inspect, text
from sqlalchemy.engine import make_url

from contracts.topology import SERVICES, Store
from runtime.database import create_engine
from runtime.migrations import head_of, upgrade
from services.auth.tables import AuthTable
from services.fulfilment.tables import FulfilmentTable
from services.inventory.tables import InventoryTable
from services.notifications.tables import NotificationsTable
from services.orders.tables import OrdersTable
from services.payments.tables import PaymentsTable
from tests.conftest import FreshDatabase, Servers

METADATA = {
    "auth": AuthTable.metadata,
    "fulfilment": FulfilmentTable.metadata,
    "inventory": InventoryTable.metadata,
    "notifications": NotificationsTable.metadata,
    "orders": OrdersTable.metadata,
    "payments": PaymentsTable.metadata,
}
SHARED = {"outbox_unpublished", "outbox_published", "parked_once", "parked_by_subject"}
EmptyDatabase = Callable[[str], Awaitable[str]]

of_every_service = pytest.mark.parametrize("service", METADATA)


def scripts_of(service: str) -> Path:
    scripts: Path = import_module(f"services.{service}.factory").MIGRATIONS
    return scripts


def tables_in(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def differences_in(connection: Connection, metadata: MetaData) -> list[object]:
    # What relay and parking need is known to the migrations that every service shares, and only there.
    options = {"include_object": lambda _, name, *__: name not in SHARED}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


def checks_in(connection: Connection) -> set[tuple[str, str | None]]:
    """The check constraints by table and name: what alembic's comparison leaves out."""
    found = inspect(connection)
    return {
        (table, check["name"])
        for table in found.get_table_names()
        for check in found.get_check_constraints(table)
    }


def lengths_in(connection: Connection) -> set[tuple[str, str, int | None]]:
    """How long each column's text may be: what alembic takes for equal where one side has no limit."""
    found = inspect(connection)
    return {
        (table, column["name"], length_of(column["type"]))
        for table in found.get_table_names()
        if table != "alembic_version"
        for column in found.get_columns(table)
    }


def length_of(column_type: object) -> int | None:
    return getattr(column_type, "length", None)


@pytest.fixture
def empty_database(servers: Servers, fresh_database: FreshDatabase) -> EmptyDatabase:
    """`await empty_database("inventory")`: the URL of a new database of that service, with nothing in it."""

    async def create(service: str) -> str:
        url = make_url(await fresh_database(service)).set(database=f"{service}_{uuid4().hex}")
        admin = create_engine(servers.postgres_admin_url)
        try:
            async with admin.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(text(f"CREATE DATABASE {url.database} OWNER {service}"))
        finally:
            await admin.dispose()
        return url.render_as_string(hide_password=False)

    return create


@of_every_service
async def test_a_second_upgrade_applies_nothing(empty_database: EmptyDatabase, service: str) -> None:
    url = await empty_database(service)
    applied = await upgrade(scripts_of(service), url)
    assert applied[-1] == head_of(scripts_of(service))
    assert await upgrade(scripts_of(service), url) == []


@of_every_service
async def test_upgrades_at_once_apply_each_revision_once(empty_database: EmptyDatabase, service: str) -> None:
    url, scripts = await empty_database(service), scripts_of(service)
    applied = await asyncio.gather(*(upgrade(scripts, url) for _ in range(3)))
    assert sorted(map(bool, applied)) == [False, False, True]


@of_every_service
async def test_the_migrations_make_the_tables_that_the_code_knows(
    fresh_database: FreshDatabase, service: str
) -> None:
    metadata = METADATA[service]
    engine = create_engine(await fresh_database(service))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(tables_in) == {*metadata.tables, "alembic_version"}
            assert await connection.run_sync(differences_in, metadata) == []
            assert await connection.run_sync(lengths_in) == {
                (table.name, column.name, length_of(column.type))
                for table in metadata.tables.values()
                for column in table.columns
            }
            assert await connection.run_sync(checks_in) == {
                (table.name, check.name)
                for table in metadata.tables.values()
                for check in table.constraints
                if isinstance(check, CheckConstraint)
            }
    finally:
        await engine.dispose()


def test_every_service_with_a_database_is_looked_at_here() -> None:
    assert {each.name for each in SERVICES if each.store is Store.POSTGRES} == set(METADATA)
