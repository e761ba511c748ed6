"""The demo shop in real stores."""

import asyncio
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from cli.catalog import load_catalog, load_categories
from cli.seed import seed as seed_command
from cli.seeding import DEMO_USERS, OnlyInDevelopment, SeedSummary, seed
from runtime.settings import Environment, Settings
from services.auth.factory import open_accounts
from services.inventory.factory import open_inventory
from services.products.factory import migrate, open_products
from tests.conftest import FreshDatabase, Servers
from tests.products_samples import catalog_settings


@pytest.fixture
async def settings(servers: Servers, fresh_database: FreshDatabase) -> Settings:
    settings = catalog_settings(
        servers.mongo_url,
        inventory_database_url=await fresh_database("inventory"),
        auth_database_url=await fresh_database("auth"),
    )
    await migrate(settings)
    return settings


def _quietly(what: str, done: int, of: int) -> None:
    assert done <= of, what


async def test_all_of_the_catalog_is_there_and_the_users_can_sign_in(settings: Settings) -> None:
    summary = await seed(settings, _quietly)
    catalog = load_catalog()
    on_hand = {variant.sku: variant.on_hand for product in catalog for variant in product.variants}
    assert (summary.categories, summary.products) == (len(load_categories()), len(catalog))
    async with open_products(settings) as products:
        moka = await products.product("moka-pot-3-cup")
        quotes = [await products.quotes(list(on_hand)[start : start + 100]) for start in (0, 100)]
    assert [(v.sku, v.price.amount) for v in moka.variants] == [("KIT-MOKA-3", 3490)]
    assert all(quotes)
    async with open_inventory(settings) as inventory:
        assert {s: stock.on_hand for s, stock in (await inventory.stock_of_many(on_hand)).items()} == on_hand
    async with open_accounts(settings) as accounts:
        for user in summary.users:
            known = await accounts.authenticate(user.email, SecretStr(user.password))
            assert known.roles == {DEMO_USERS[user.email]}


async def test_again_it_changes_nothing(settings: Settings) -> None:
    await seed(settings, _quietly)
    async with open_inventory(settings) as inventory:
        await inventory.adjust("KIT-MOKA-3", -1, "sold")
        again = await seed(settings, _quietly)
        assert (await inventory.stock_of("KIT-MOKA-3")).on_hand == 39
    assert again == SeedSummary(categories=0, products=0, stock_records=0, users=[])


async def test_what_was_taken_out_comes_back(settings: Settings) -> None:
    await seed(settings, _quietly)
    async with open_products(settings) as products:
        await products.remove("moka-pot-3-cup")
    assert (await seed(settings, _quietly)).products == 1


async def test_outside_development_nothing_is_made(settings: Settings) -> None:
    production = settings.model_copy(update={"environment": Environment.PRODUCTION})
    with pytest.raises(OnlyInDevelopment):
        await seed(production, _quietly)
    async with open_products(settings) as products:
        assert await products.categories(1) == []


async def test_the_command_tells_machines_what_it_made(settings: Settings, tmp_path: Path) -> None:
    environment = {
        "MICROMART_ENVIRONMENT": "development",
        "MICROMART_SERVICE_SECRET": settings.secret("service_secret"),
        "MICROMART_PRODUCTS_MONGO_URL": settings.secret("products_mongo_url"),
        "MICROMART_PRODUCTS_MONGO_DATABASE": settings.products_mongo_database,
        "MICROMART_INVENTORY_DATABASE_URL": settings.database_url("inventory"),
        "MICROMART_AUTH_DATABASE_URL": settings.database_url("auth"),
    }
    app = typer.Typer()
    app.command()(seed_command)

    def invoke() -> Result:
        return CliRunner().invoke(app, ["--json", "--data", str(tmp_path / "nowhere")], env=environment)

    # The command runs an event loop of its own, which takes a thread of its own.
    result = await asyncio.to_thread(invoke)
    assert result.exit_code == 0, result.output
    assert SeedSummary.model_validate_json(result.stdout).products == len(load_catalog())
