"""The benchmark's own platform: started, filled and stopped by the command line, as a user does it."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import rmtree
from types import MappingProxyType

from api.gateway.routes import LimitClass
from api.inventory.views import SetStock, StockView
from api.products.views import CategoryView, ProductView
from contracts.errors import Refused
from contracts.identity import Identity, Role
from contracts.products import NewCategory, NewProduct, NewVariant, Price
from proof.errors import CannotMeasure
from runtime.embedded import connection_settings
from runtime.embedded.folder import DataFolder
from runtime.embedded.state import PlatformState
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import PREFIX

SKUS = tuple(f"BENCH-{number:02}" for number in range(16))
ON_HAND = 10_000_000
STAFF = Identity(subject="bench", roles=frozenset({Role.STAFF}))
COMMAND_SECONDS = 180.0


class BenchPlatform:
    """A whole platform on free ports in one data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._folder = DataFolder(data)
        state = self._folder.state()
        if state is not None and state.is_running:
            raise CannotMeasure(f"a platform runs on {data}: the benchmark starts one of its own")

    @property
    def state(self) -> PlatformState:
        state = self._folder.state()
        if state is None:
            raise CannotMeasure(f"the platform has ended; its logs are in {self._folder.logs}")
        return state

    @property
    def pids(self) -> dict[str, int]:
        """Every process of it by name, with its supervisor."""
        state = self.state
        processes = {one.name: one.pid.number for one in state.processes if one.pid is not None}
        return processes | {"supervisor": state.supervisor.number}

    def url_of(self, process: str) -> str:
        """Where one of its processes listens."""
        return next(one.url for one in self.state.processes if one.name == process)

    def database_url(self, service: str) -> str:
        return self.connections[f"{PREFIX}{service.upper()}_DATABASE_URL"]

    @property
    def connections(self) -> dict[str, str]:
        return connection_settings(self._data)

    async def up(self, *, events: bool = True, only: Sequence[str] = ()) -> float:
        """Start it; answers the seconds from the command's start to its end, when all is ready."""
        began = time.perf_counter()
        options = ["--ports", "auto", "--detach", "--only", ",".join(only)]
        # Hundreds of buyers come from one address here; that they are counted is measured all the same.
        limits = {f"{PREFIX}LIMIT_{limit.upper()}": "1000000/minute" for limit in LimitClass}
        await self._run("up", *options, environment=limits | {f"{PREFIX}EVENTS_ENABLED": str(events)})
        return time.perf_counter() - began

    async def down(self) -> None:
        """Stop it, if it runs."""
        await self._run("down")

    async def fill(self) -> None:
        """The demo shop, and what the benchmark buys. Safe to repeat."""
        await self._run("seed")
        settings = self.connections
        signer = IdentitySigner(settings["MICROMART_IDENTITY_SECRET"])
        proof = ServiceProof(settings["MICROMART_SERVICE_SECRET"], "bench")
        products_at, inventory_at = settings["MICROMART_PRODUCTS_URL"], settings["MICROMART_INVENTORY_URL"]
        async with ServiceClient(products_at, "products", proof, signer) as products:
            await _make_products(products)
        async with ServiceClient(inventory_at, "inventory", proof, signer) as inventory:
            for sku in SKUS:
                stock = SetStock(on_hand=ON_HAND)
                await inventory.call("PUT", f"/v1/inventory/{sku}", StockView, body=stock, identity=STAFF)

    async def migrate(self, service: str) -> None:
        """Bring one service's store up to date; safe to repeat."""
        await self._run("migrate", service)

    async def _run(
        self, command: str, *options: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Run a command on this folder; one that is not waited for any more is asked to clean up first."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", command, "--data", str(self._data), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                said, _ = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                await process.wait()
            raise
        if process.returncode != 0:
            raise CannotMeasure(f"micromart {command} failed:\n{said.decode(errors='replace').strip()}")


@asynccontextmanager
async def bench_platform(data: Path | None) -> AsyncIterator[BenchPlatform]:
    """A platform that is down when the block ends; without a data folder of the user's, all of it is gone."""
    folder = data or Path(tempfile.mkdtemp(prefix="micromart-bench-"))
    platform = BenchPlatform(folder)
    try:
        yield platform
    finally:
        await platform.down()
        if data is None:
            rmtree(folder)


async def _make_products(products: ServiceClient) -> None:
    category = NewCategory(slug="bench", title="Bench")
    variants = tuple(
        NewVariant(sku=sku, title=sku, price=Price(amount=1_999, currency="EUR")) for sku in SKUS
    )
    product = NewProduct(
        slug="bench",
        title="Bench",
        description="What the benchmark buys.",
        category="bench",
        variants=variants,
    )
    try:
        await products.call("POST", "/v1/categories", CategoryView, body=category, identity=STAFF)
        await products.call("POST", "/v1/products", ProductView, body=product, identity=STAFF)
    except Refused as refused:
        # Only a data folder of the user's own can have them from an earlier benchmark.
        if not refused.refusal.code.endswith("_taken"):
            raise
