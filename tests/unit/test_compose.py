"""The deployment as a whole: what docker-compose.yml promises, held against the code."""

import asyncio
import re
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from api.gateway.app import Gateway
from contracts.topology import SERVICES, Store
from runtime.clock import utc_now
from runtime.embedded import plan
from runtime.embedded.servers import SEARCH_ATTRIBUTES
from runtime.settings import Settings
from sandbox.psp.app import create_app
from sandbox.psp.books import Books
from sandbox.psp.ledger import Ledger
from sandbox.psp.metrics import Metrics
from sandbox.psp.provider import Provider
from tests.http_server import serving
from tests.ports import free_port
from tests.unit.deployment import (
    COMPOSE,
    CONTAINERS,
    DOCKERFILE,
    JOBS,
    MODULES,
    PORTS,
    ROOT,
    Network,
    own_image,
    settings_of,
)
from workers.process import _operations

EXACT_VERSION = re.compile(r"[a-z/-]+:\d+\.\d+\.\d+(-[a-z0-9-]+)?")
# PostgreSQL's releases have two numbers.
EXACT_POSTGRES = re.compile(r"postgres:\d+\.\d+(-[a-z0-9-]+)?")

WORKERS = [service.worker for service in SERVICES]


def test_every_process_of_the_platform_has_its_container() -> None:
    # Mail leaves for the user's own server: there is no sink for it.
    assert set(CONTAINERS) == set(plan.DEFAULT_PORTS) - {"mail", "mail-smtp"} | JOBS


@pytest.mark.parametrize("name", MODULES)
def test_a_process_runs_its_own_module(name: str) -> None:
    assert CONTAINERS[name].command == ["python", "-m", MODULES[name]]


@pytest.mark.parametrize("module", MODULES.values())
def test_a_command_s_module_can_be_run(module: str) -> None:
    spec = find_spec(module)
    assert spec is not None
    is_package = spec.submodule_search_locations is not None
    assert not is_package or find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("name", PORTS)
def test_a_process_listens_where_the_topology_says(name: str) -> None:
    assert CONTAINERS[name].environment["MICROMART_PORT"] == str(PORTS[name])


async def test_a_worker_serves_its_health_path(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("inventory-worker", monkeypatch).model_copy(
        update={"host": "127.0.0.1", "port": free_port()}
    )
    working = asyncio.Event()
    working.set()
    async with _operations(settings, 0, working):
        statuses = {await status_of(settings.port, CONTAINERS[name].health_path) for name in WORKERS}
    assert statuses == {200}


async def status_of(port: int | None, path: str) -> int:
    """What the server on this port answers, once it listens."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    return response.status
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.01)


async def test_the_gateway_serves_its_health_path(monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = f"http://127.0.0.1:{free_port()}"
    settings = settings_of("gateway", monkeypatch).model_copy(update={"auth_url": unreachable})
    async with serving(Gateway(settings)) as url:
        port = urlsplit(url).port
        # It is not ready without auth's keys, and says so; a path that it does not know is a 404.
        assert await status_of(port, CONTAINERS["gateway"].health_path) == 503


async def test_the_sandbox_provider_serves_its_health_path(tmp_path: Path) -> None:
    books, metrics = Books(), Metrics()
    ledger = Ledger.open(tmp_path / "ledger.jsonl", books.apply)
    provider = Provider(ledger, books, metrics, utc_now, slow_seconds=0)
    async with serving(create_app(provider, metrics, api_key="filled-in")) as url:
        assert await status_of(urlsplit(url).port, CONTAINERS["psp"].health_path) == 200


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
async def test_the_health_check_believes_the_status(status: int, healthy: bool) -> None:
    container = CONTAINERS["gateway"]
    assert container.healthcheck is not None
    app = Starlette(routes=[Route(container.health_path, lambda _: Response(status_code=status))])
    async with serving(app) as url:
        check = await asyncio.create_subprocess_exec(
            sys.executable,
            *container.healthcheck.test[2:],
            env={"MICROMART_PORT": str(urlsplit(url).port)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert (await check.wait() == 0) is healthy


def test_everything_but_a_job_has_a_health_check() -> None:
    checked = {name for name, one in CONTAINERS.items() if one.healthcheck and one.healthcheck.test}
    assert checked == set(CONTAINERS) - JOBS


def test_whoever_is_waited_for_says_when_it_is_ready() -> None:
    waits = {(on, how["condition"]) for one in CONTAINERS.values() for on, how in one.depends_on.items()}
    expected = {
        on: "service_completed_successfully" if on in JOBS else "service_healthy" for on in CONTAINERS
    }
    assert waits <= set(expected.items())


def test_every_image_is_pinned() -> None:
    theirs = {one.image for one in CONTAINERS.values()} - {own_image()}
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    loose = {
        image
        for image in theirs | bases
        if not (EXACT_VERSION.fullmatch(image) or EXACT_POSTGRES.fullmatch(image))
    }
    assert loose == set()


def test_all_processes_of_ours_share_one_image_that_one_of_them_builds() -> None:
    sharing = {name for name, one in CONTAINERS.items() if one.image == own_image()}
    building = {name for name, one in CONTAINERS.items() if one.build == "."}
    assert (sharing, building) == ({*MODULES, "migrate"}, {"migrate"})


def test_only_the_gateway_can_be_reached_from_another_machine() -> None:
    published = {name: one.ports for name, one in CONTAINERS.items() if one.ports}
    assert published == {"gateway": ["3000:3000"], "temporal-ui": ["127.0.0.1:8233:8233"]}


def test_the_network_of_all_the_others_has_no_way_out() -> None:
    outside = {name for name, one in CONTAINERS.items() if one.networks != ["backend"]}
    backend = COMPOSE.networks["backend"]
    with_a_way_out = {"gateway", "temporal-ui", "notifications-worker"}
    assert (outside, backend) == (with_a_way_out, Network(internal=True))


def test_no_container_can_gain_rights() -> None:
    confined = {
        name
        for name, one in CONTAINERS.items()
        if one.security_opt == ["no-new-privileges:true"] and one.cap_drop == ["ALL"]
    }
    assert confined == set(CONTAINERS)


def mounts() -> Iterable[tuple[str, str]]:
    """Every volume's source and target."""
    for one in CONTAINERS.values():
        for volume in one.volumes:
            source, target, *_ = volume.split(":")
            yield source, target


def test_every_volume_is_named_and_declared() -> None:
    assert {source for source, _ in mounts() if not source.startswith("./")} == set(COMPOSE.volumes)


def test_every_mounted_file_is_there() -> None:
    assert [
        source for source, _ in mounts() if source.startswith("./") and not (ROOT / source).is_file()
    ] == []


def test_postgres_makes_a_role_for_every_service_that_stores_there() -> None:
    script = (ROOT / "deploy/postgres/init.sh").read_text()
    made = set(re.findall(r"^create (\w+) \1\b", script, re.MULTILINE))
    assert made == {service.name for service in SERVICES if service.store is Store.POSTGRES} | {"temporal"}


def test_temporal_gets_the_search_attributes_that_embedded_mode_has() -> None:
    script = (ROOT / "deploy/temporal/namespace.sh").read_text()
    made = re.findall(r"search-attribute create --name (\w+) --type (\w+)", script)
    assert dict(made) == SEARCH_ATTRIBUTES


def test_the_namespace_that_is_made_is_the_one_that_is_used() -> None:
    made = CONTAINERS["temporal-namespace"].environment["TEMPORAL_NAMESPACE"]
    assert made == Settings.model_fields["temporal_namespace"].default
