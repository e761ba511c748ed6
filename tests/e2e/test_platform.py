"""The command line's promises about starting, watching and stopping, on small platforms of their own."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.client import Client

from contracts.topology import SERVICES
from runtime.embedded.folder import DataFolder
from runtime.embedded.pids import wait_for_end
from runtime.embedded.state import PlatformState
from tests.e2e.conftest import POLL_SECONDS, READY_SECONDS, Platform, clean_environment

SERVERS = "valkey-carts,valkey-bus"

NewPlatform = Callable[[str], Platform]


def state_of(platform: Platform) -> PlatformState:
    state = DataFolder(platform.data).state()
    assert state is not None
    return state


def kill_supervisor(platform: Platform) -> None:
    supervisor = state_of(platform).supervisor
    os.kill(supervisor.number, signal.SIGKILL)
    assert wait_for_end([supervisor], 5)


@contextmanager
def running(platform: Platform) -> Iterator[Platform]:
    try:
        platform.up()
        yield platform
    finally:
        platform.down()
    assert not platform.left


@pytest.fixture(scope="module")
def inventory(server_folder: Path) -> Iterator[Platform]:
    """A server and one of our own services, for tests that leave it as it was."""
    with running(Platform(server_folder / "inventory", only="postgres,inventory-api")) as platform:
        yield platform


@pytest.fixture(scope="module")
def stores(server_folder: Path) -> Iterator[Platform]:
    """Servers alone, for tests that leave them running."""
    with running(Platform(server_folder / "stores", only="temporal,postgres,mongo")) as platform:
        yield platform


@pytest.fixture
def new_platform(server_folder: Path, request: pytest.FixtureRequest) -> Iterator[NewPlatform]:
    """Platforms for a test to break; whatever they leave is ended."""
    made: list[Platform] = []

    def make(only: str) -> Platform:
        made.append(Platform(server_folder / f"{request.node.name}-{len(made)}", only))
        return made[-1]

    yield make
    for platform in made:
        platform.down()
        assert not platform.left


def test_status_tells_machines_everything_in_one_document(inventory: Platform) -> None:
    status = inventory.status()

    assert set(status) == {"ready", "gateway", "temporal", "processes", "breakers"}
    assert set(status["temporal"]) == {"address", "namespace", "ui"}
    assert status["temporal"]["ui"].endswith("/temporal")
    assert status["gateway"].startswith("http://127.0.0.1:")
    api = inventory.process("inventory-api")
    assert set(api) == {"name", "kind", "url", "pid", "ready", "restarts"}
    assert (status["ready"], api["kind"], api["ready"], api["restarts"]) == (True, "api", True, 0)


def test_all_of_it_is_ready_and_named_by_the_topology(platform: Platform) -> None:
    status = platform.status()

    assert status["ready"]
    assert [process["name"] for process in status["processes"] if process["kind"] in ("api", "worker")] == [
        *(service.api for service in SERVICES),
        *(service.worker for service in SERVICES),
    ]
    assert {process["name"] for process in status["processes"]} >= {
        "temporal",
        "postgres",
        "valkey-carts",
        "valkey-bus",
        "mongo",
        "psp",
        "mail",
        "gateway",
    }


def test_a_killed_process_comes_back_and_is_counted(inventory: Platform) -> None:
    before = inventory.process("inventory-api")

    inventory.kill("inventory-api")

    inventory.wait_until(lambda status: status["ready"] and status["processes"][-1]["restarts"] > 0)
    after = inventory.process("inventory-api")
    assert after["pid"] != before["pid"]
    assert after["url"] == before["url"]


def test_a_frozen_process_is_not_ready_until_it_thaws(inventory: Platform) -> None:
    inventory.stop("inventory-api")
    assert inventory.run("status").returncode == 1

    inventory.cont("inventory-api")
    inventory.wait_ready()


def test_a_second_up_in_the_background_finds_it_up(inventory: Platform) -> None:
    again = inventory.run("up", "--detach")

    assert again.returncode == 0
    assert "up already" in again.stdout


def test_a_second_up_in_the_foreground_says_who_has_the_folder(inventory: Platform) -> None:
    again = inventory.run("up", "--ports", "auto")

    assert again.returncode == 1
    assert f"(pid {state_of(inventory).supervisor.number})" in again.stderr


def test_migrate_reaches_the_running_platform_and_is_safe_to_repeat(inventory: Platform) -> None:
    migrated = inventory.run("migrate", "inventory")

    assert migrated.returncode == 0, migrated.stderr
    assert "up to date" in migrated.stdout


def test_logs_of_a_service_are_its_own_lines_as_written(inventory: Platform) -> None:
    shown = inventory.run("logs", "inventory", "-n", "3")

    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [line["process"] for line in lines] == ["inventory-api"] * 3


def test_logs_of_an_unknown_service_name_the_known_ones(inventory: Platform) -> None:
    shown = inventory.run("logs", "nonsense")

    assert shown.returncode == 1
    assert "inventory-api" in shown.stderr


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
    assert stores.status()["ready"]


def test_down_after_a_killed_supervisor_ends_what_it_left(new_platform: NewPlatform) -> None:
    platform = new_platform(SERVERS)
    platform.up()
    kill_supervisor(platform)

    platform.down()

    assert not platform.left


def test_status_of_nothing_says_so(new_platform: NewPlatform) -> None:
    asked = new_platform(SERVERS).run("status", "--json")

    assert asked.returncode == 1
    assert "nothing runs" in asked.stderr


def test_an_interrupt_in_the_foreground_ends_everything(new_platform: NewPlatform) -> None:
    platform = new_platform(SERVERS)
    supervisor = subprocess.Popen(
        platform.command("up", "--ports", "auto", "--only", platform.only),
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + READY_SECONDS
    while (state := DataFolder(platform.data).state()) is None or state.phase != "up":
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
    children = [process.pid for process in state.processes if process.pid is not None]

    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(30) == 0
    assert len(children) == 2
    assert not [pid for pid in children if pid.is_alive]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """The default port of valkey-carts, with somebody listening there."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 6381))
            listener.listen()
        except OSError:
            # Somebody listens already: all the same to this test.
            pass
        yield 6381


def test_a_taken_port_stops_up_before_anything_starts(new_platform: NewPlatform, taken_port: int) -> None:
    platform = new_platform(SERVERS)

    refused = platform.run("up", "--only", platform.only)

    assert refused.returncode == 1
    assert f"{taken_port} (valkey-carts)" in refused.stderr
    assert "--ports auto" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (platform.data / "valkey-bus").exists()


def test_a_folder_of_another_layout_is_left_alone(new_platform: NewPlatform) -> None:
    platform = new_platform(SERVERS)
    platform.data.mkdir()
    (platform.data / "format.json").write_text('{"layout": 99}')

    refused = platform.run("up", "--ports", "auto", "--detach")

    assert refused.returncode == 1
    assert "layout 99" in refused.stderr
    assert not (platform.data / "secrets.json").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    platform = Platform(tmp_path / "file" / "data")

    refused = platform.run("up")

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"micromart: cannot write to the data folder {platform.data}")


def test_a_failed_start_in_the_background_says_why_and_leaves_nothing(new_platform: NewPlatform) -> None:
    platform = new_platform("valkey-carts")
    platform.data.mkdir()
    platform.data.joinpath("valkey-carts").write_text("in the way of its folder")

    refused = platform.run("up", "--ports", "auto", "--detach", "--only", platform.only)

    assert refused.returncode == 1
    assert refused.stderr.startswith("micromart: ")
    assert DataFolder(platform.data).state() is None
