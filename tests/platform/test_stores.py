"""What the stores of a platform keep from one start to the next, and what an older folder gets."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.client import Client

from tests.platform_process import Platform, kill_supervisor, running


@pytest.fixture(scope="module")
def stores(server_folder: Path) -> Iterator[Platform]:
    """Servers alone, for tests that leave them running."""
    with running(Platform(server_folder / "stores", only="temporal,postgres,mongo")) as platform:
        yield platform


async def test_the_stores_keep_their_content_and_their_passwords(stores: Platform) -> None:
    connection = await asyncpg.connect(stores.environment["MICROMART_ORDERS_DATABASE_URL"])
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await connection.close()

    stores.down()
    stores.up()

    connection = await asyncpg.connect(stores.environment["MICROMART_ORDERS_DATABASE_URL"])
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()


async def test_a_folder_from_before_a_service_was_there_gets_its_database(stores: Platform) -> None:
    secrets = stores.data / "secrets.json"
    passwords = json.loads(secrets.read_text())
    port = urlsplit(stores.environment["MICROMART_ORDERS_DATABASE_URL"]).port
    superuser = await asyncpg.connect(
        host="127.0.0.1", port=port, user="postgres", password=passwords["postgres_password"]
    )
    await superuser.execute("DROP DATABASE fulfilment")
    await superuser.execute("DROP ROLE fulfilment")
    await superuser.close()
    del passwords["fulfilment_database_password"]
    secrets.write_text(json.dumps(passwords))

    stores.down()
    stores.up()

    connection = await asyncpg.connect(stores.environment["MICROMART_FULFILMENT_DATABASE_URL"])
    assert await connection.fetchval("SELECT current_user") == "fulfilment"
    await connection.close()


async def test_a_folder_from_before_a_search_attribute_was_there_gets_it(stores: Platform) -> None:
    before = await search_attributes(stores)
    client = await Client.connect(stores.temporal_address)
    await client.operator_service.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace=client.namespace, search_attributes=["Handler"])
    )
    assert await search_attributes(stores) == before - {"Handler"}

    stores.down()
    stores.up()

    assert await search_attributes(stores) == before


async def search_attributes(platform: Platform) -> set[str]:
    """What of ours can be searched for in its Temporal."""
    client = await Client.connect(platform.temporal_address)
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return set(answer.custom_attributes)


async def test_a_service_cannot_enter_the_database_of_another(stores: Platform) -> None:
    url = stores.environment["MICROMART_ORDERS_DATABASE_URL"]

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url, database="inventory")


def test_up_after_a_killed_supervisor_ends_what_it_left(stores: Platform) -> None:
    left = stores.left
    kill_supervisor(stores)
    assert stores.left == left

    stores.up()

    assert not {pid for pid in left if pid.is_alive}
    stores.wait_ready()
