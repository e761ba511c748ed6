"""The command line's promises about starting and stopping, and about what stands in the way."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.embedded.folder import DataFolder
from tests.platform_process import POLL_SECONDS, READY_SECONDS, Platform, clean_environment, kill_supervisor

SERVERS = "valkey-carts,valkey-bus"

NewPlatform = Callable[[str], Platform]


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

    assert supervisor.wait(READY_SECONDS) == 0
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
