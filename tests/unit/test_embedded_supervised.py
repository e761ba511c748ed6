"""A process under supervision, whose port is somebody else's for a while."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals

import pytest

from runtime.embedded.errors import PlatformError
from runtime.embedded.kinds import Kind
from runtime.embedded.probes import HOST
from runtime.embedded.supervised import FIRST_DELAY_SECONDS, Supervised
from tests.polling import until
from tests.ports import free_port


@dataclass
class Sleeper:
    """Listens nowhere; whoever listens on its port answers its probe."""

    port: int = field(default_factory=free_port)
    name: str = "sleeper"
    kind: Kind = Kind.SERVER
    stop_signal: Signals = SIGTERM
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    @property
    def probe(self) -> str:
        return self.url

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        self.started.append(subprocess.Popen(["sleep", "600"]))
        return self.started[-1]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    made = Sleeper()
    yield made
    for process in made.started:
        process.kill()
        process.wait()


@contextmanager
def stranger_on(port: int) -> Iterator[None]:
    with socket.create_server((HOST, port)):
        yield


def test_nothing_is_started_beside_a_stranger_on_its_port(sleeper: Sleeper, tmp_path: Path) -> None:
    with stranger_on(sleeper.port), pytest.raises(PlatformError, match=f"sleeper's port {sleeper.port}"):
        Supervised(sleeper, tmp_path / "log").start()
    assert sleeper.started == []


async def test_it_is_started_again_once_the_stranger_has_left(sleeper: Sleeper, tmp_path: Path) -> None:
    supervised, said = Supervised(sleeper, tmp_path / "log"), list[str]()

    async def has_said(words: str) -> bool:
        said.append(supervised.check() or "")
        return words in said[-1]

    async def is_started_again() -> bool:
        supervised.check()
        return len(sleeper.started) == 2

    supervised.start()
    with stranger_on(sleeper.port):
        sleeper.started[0].kill()
        await until(lambda: has_said("could not start: another process listens on sleeper's port"))
        assert not supervised.is_ready
        assert f"in {2 * FIRST_DELAY_SECONDS} s" in said[-1]
    await until(is_started_again)
