"""Real servers for the tests: each started on free ports when the first test asks, ended with the session."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from secrets import token_hex, token_urlsafe
from signal import SIGCONT, SIGINT, SIGSTOP, default_int_handler, signal
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from contracts.topology import SERVICES, Store
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.probes import serves
from runtime.embedded.servers import MongoServer, Server, TemporalServer, ValkeyServer
from runtime.migrations import upgrade
from tests.ports import free_port

SHARED_PLATFORM = "tests/e2e/"
# What takes longest comes first, so that no process of tests is left alone with it at the end.
FOLDERS = ("e2e", "platform", "workflows", "gateway", "stores", "contracts", "unit")
START_SECONDS = 60.0
# Nothing in them is kept: one that takes longer to end is killed.
STOP_SECONDS = 3.0

# How long an example takes says more about the machine than about us.
settings.register_profile("micromart", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("micromart")

# Shells have what they start in the background ignore Ctrl-C, and so would all that the tests interrupt.
signal(SIGINT, default_int_handler)

TESTS = Path(__file__).parent

AnyServer = TypeVar("AnyServer", bound=Server)
FreshDatabase = Callable[[str], Awaitable[str]]


class SharersTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps a file's tests in one process, and so all that share one platform."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARED_PLATFORM if nodeid.startswith(SHARED_PLATFORM) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SharersTogether:
    """Of our own, since xdist's groups are lost on this pytest: it marks them in a name that is not read."""
    return SharersTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FOLDERS.index(item.path.relative_to(TESTS).parts[0]))


class Servers:
    """The servers that tests share; asking for a URL starts its server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[tuple[Server, subprocess.Popen[bytes]]] = []
        self._migrated: set[str] = set()
        self._databases: list[str] = []

    @property
    def postgres_admin_url(self) -> str:
        return self._postgres.admin_url

    @property
    def mongo_url(self) -> str:
        return self._mongo.url

    @property
    def carts_redis_url(self) -> str:
        return self._valkey_carts.url

    @property
    def bus_redis_url(self) -> str:
        return self._valkey_bus.url

    @property
    def temporal_address(self) -> str:
        return self._temporal.url

    @property
    def temporal_ui_url(self) -> str:
        return self._temporal.ui_url

    async def fresh_database(self, service: str) -> str:
        """A new database of the service's role, migrated to its newest revision; gone with its test."""
        factory = import_module(f"services.{service}.factory")
        template = f"{service}_migrated"
        if service not in self._migrated:
            self._postgres.execute(f"CREATE DATABASE {template} OWNER {service}")
            await upgrade(factory.MIGRATIONS, self._postgres.database_url(service, template))
            self._migrated.add(service)
        name = f"{service}_{token_hex(4)}"
        self._postgres.execute(f"CREATE DATABASE {name} OWNER {service} TEMPLATE {template}")
        self._databases.append(name)
        return self._postgres.database_url(service, name)

    @contextmanager
    def databases_dropped(self) -> Iterator[None]:
        """Drop what is made of databases inside the block: each takes 8 MB, and a session makes hundreds."""
        before = len(self._databases)
        yield
        made, self._databases = self._databases[before:], self._databases[:before]
        if made:
            self._postgres.execute("".join(f"DROP DATABASE {name} WITH (FORCE);\n" for name in made))

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """This server, which was asked for before, lives and does not answer until the block ends."""
        [process] = [process for server, process in self._running if server.name == name]
        process.send_signal(SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(SIGCONT)

    def stop(self) -> None:
        for server, process in self._running:
            process.send_signal(server.stop_signal)
        for _, process in self._running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @cached_property
    def _postgres(self) -> PostgresServer:
        roles = {service.name: token_urlsafe() for service in SERVICES if service.store is Store.POSTGRES}
        server = self._started(
            PostgresServer(
                "postgres",
                free_port(),
                self._folder / "postgres",
                superuser_password=token_urlsafe(),
                roles=roles,
            )
        )
        server.create_databases()
        return server

    @cached_property
    def _mongo(self) -> MongoServer:
        return self._started(MongoServer("mongo", free_port(), self._folder / "mongo"))

    @cached_property
    def _valkey_carts(self) -> ValkeyServer:
        return self._started(
            ValkeyServer("valkey-carts", free_port(), self._folder / "valkey-carts", durable=True)
        )

    @cached_property
    def _valkey_bus(self) -> ValkeyServer:
        return self._started(
            ValkeyServer("valkey-bus", free_port(), self._folder / "valkey-bus", durable=False)
        )

    @cached_property
    def _temporal(self) -> TemporalServer:
        folder = self._folder / "temporal"
        return self._started(TemporalServer("temporal", free_port(), folder, ui_port=free_port()))

    def _started(self, server: AnyServer) -> AnyServer:
        log = self._folder / f"{server.name}.log"
        server.check()
        process = server.start(log)
        self._running.append((server, process))
        deadline = time.monotonic() + START_SECONDS
        while not serves(server.probe):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server.name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        return server


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can enter when the tests run as root; pytest's own is closed."""
    folder = Path(tempfile.mkdtemp(prefix="micromart-"))
    folder.chmod(0o711)
    yield folder
    # Here, and not as the process ends: xdist gives that 10 s, and then kills it in the middle.
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def servers(server_folder: Path) -> Iterator[Servers]:
    running = Servers(server_folder)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def databases_dropped(servers: Servers) -> Iterator[None]:
    """A test's databases end with it; those of a wider scope were made before, and stay."""
    with servers.databases_dropped():
        yield


@pytest.fixture(scope="session")
def fresh_database(servers: Servers) -> FreshDatabase:
    """`await fresh_database("inventory")`: the URL of a new, migrated database of that service."""
    return servers.fresh_database
