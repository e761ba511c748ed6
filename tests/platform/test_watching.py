"""The command line's promises about watching a platform that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform_process import Platform, running, state_of


@pytest.fixture(scope="module")
def inventory(server_folder: Path) -> Iterator[Platform]:
    """A server and one of our own services, for tests that leave it as it was."""
    with running(Platform(server_folder / "inventory", only="postgres,inventory-api")) as platform:
        yield platform


def test_status_tells_machines_everything_in_one_document(inventory: Platform) -> None:
    status = inventory.wait_ready()

    assert set(status) == {"ready", "gateway", "temporal", "processes", "breakers"}
    assert set(status["temporal"]) == {"address", "namespace", "ui"}
    assert status["temporal"]["ui"].endswith("/temporal")
    assert status["gateway"].startswith("http://127.0.0.1:")
    api = status["processes"][-1]
    assert set(api) == {"name", "kind", "url", "pid", "ready", "restarts"}
    assert (status["ready"], api["kind"], api["ready"], api["restarts"]) == (True, "api", True, 0)


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
