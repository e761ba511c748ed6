"""The embedded servers: real ones, each a child process of ours on 127.0.0.1."""

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from runtime.embedded import binaries
from runtime.embedded.forks import without_settings
from runtime.embedded.kinds import Kind
from runtime.embedded.probes import HOST

# What people search for in the Temporal UI.
SEARCH_ATTRIBUTES = {
    "OrderId": "Keyword",
    "CheckoutState": "Keyword",
    "NeedsOperator": "Bool",
    "EventType": "Keyword",
    "Subject": "Keyword",
    "Handler": "Keyword",
}

_TEMPORAL_DYNAMIC_CONFIG = {
    # The default of 20 polls a second makes every queue hop wait about 40 ms.
    "history.transferProcessorMaxPollRPS": 2000,
    "history.timerProcessorMaxPollRPS": 2000,
    "history.visibilityProcessorMaxPollRPS": 200,
    # By default a timer or a retry may fire up to a second after it is due.
    "history.timerProcessorMaxTimeShift": '"100ms"',
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}


class Server(ABC):
    """One embedded server: how it is prepared, started and asked whether it serves."""

    kind = Kind.SERVER
    stop_signal = signal.SIGTERM

    def __init__(self, name: str, port: int, folder: Path) -> None:
        self.name = name
        self.port = port
        self.folder = folder

    @property
    @abstractmethod
    def url(self) -> str:
        """Where its clients find it."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs it in the foreground."""

    @property
    def user(self) -> str | None:
        """The operating system's user to run as; None stays who we are."""
        return None

    @property
    def probe(self) -> str:
        """The URL to ask whether it serves."""
        return self.url

    def check(self) -> None:
        """Refuse with PlatformError what would keep it from starting, before anything has started."""
        self.command()

    def prepare(self) -> None:
        """Make its folder usable before a start; safe to repeat."""
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Run it as a child in a session of its own, so that a Ctrl-C does not reach it."""
        self.prepare()
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=server_environment(),
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
            )


def server_environment() -> dict[str, str]:
    """Ours without our settings, some of which are secrets; in UTC, so that all logs tell one time."""
    return without_settings(os.environ) | {"TZ": "UTC"}


class TemporalServer(Server):
    """Temporal's own server with its UI, on SQLite."""

    def __init__(
        self, name: str, port: int, folder: Path, *, ui_port: int, namespace: str = "default"
    ) -> None:
        super().__init__(name, port, folder)
        self._ui_port = ui_port
        self._namespace = namespace

    @property
    def url(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self._ui_port}/temporal"

    def command(self) -> list[str]:
        command = [str(binaries.temporal()), "server", "start-dev", "--ip", HOST, "--ui-ip", HOST]
        command += ["--port", str(self.port), "--ui-port", str(self._ui_port)]
        command += ["--ui-public-path", "/temporal", "--db-filename", str(self.folder / "temporal.db")]
        command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
        command += ["--namespace", self._namespace, "--log-level", "warn"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for key, value in _TEMPORAL_DYNAMIC_CONFIG.items():
            command += ["--dynamic-config-value", f"{key}={value}"]
        return command

    @property
    def probe(self) -> str:
        # The UI asks the frontend: one plain GET shows that both serve and that the namespace is there.
        return f"{self.ui_url}/api/v1/namespaces/{self._namespace}"


class ValkeyServer(Server):
    """Valkey; a durable one appends every change to its file, another may lose all."""

    def __init__(self, name: str, port: int, folder: Path, *, durable: bool) -> None:
        super().__init__(name, port, folder)
        self._durable = durable

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def command(self) -> list[str]:
        command = [str(binaries.valkey()), "--bind", HOST, "--port", str(self.port)]
        command += ["--dir", str(self.folder), "--save", "", "--daemonize", "no"]
        return [*command, "--appendonly", "yes" if self._durable else "no"]


class MongoServer(Server):
    """A server that speaks MongoDB's wire protocol, on SQLite."""

    @property
    def url(self) -> str:
        return f"mongodb://{HOST}:{self.port}"

    def prepare(self) -> None:
        super().prepare()
        # After a kill -9 its pid file stands in the way of the next start.
        self._pid_file.unlink(missing_ok=True)

    def command(self) -> list[str]:
        command = [*binaries.mongo(), "--host", HOST, "--port", str(self.port)]
        # The defaults of both files are shared by all instances; what it logs comes through stderr already.
        command += ["--data-dir", str(self.folder), "--pid-file", str(self._pid_file)]
        return [*command, "--log-file", os.devnull]

    @property
    def _pid_file(self) -> Path:
        return self.folder / "server.pid"
