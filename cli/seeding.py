"""The demo shop, filled through the services themselves."""

from collections.abc import Callable, Iterator, Sequence
from secrets import token_urlsafe
from typing import TypeVar

from pydantic import BaseModel, SecretStr

from cli.catalog import SeedProduct, load_catalog, load_categories
from contracts.errors import DomainError, Kind
from contracts.identity import Role
from contracts.products import NewCategory, NewProduct
from runtime.settings import Settings
from services.auth.accounts import Accounts, Change
from services.auth.factory import open_accounts
from services.inventory.factory import open_inventory
from services.inventory.service import InventoryService
from services.products.errors import CategoryTaken, SkuTaken, SlugTaken
from services.products.factory import open_products
from services.products.service import ProductsService

CURRENCY = "EUR"
DEMO_USERS = {
    "demo@micromart.example": Role.CUSTOMER,
    "staff@micromart.example": Role.STAFF,
    "admin@micromart.example": Role.ADMIN,
}

# Told what is being gone through, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]
Item = TypeVar("Item")


class OnlyInDevelopment(DomainError):
    code = "seed.only_in_development"
    kind = Kind.FORBIDDEN


class DemoUser(BaseModel):
    """An account that was given its password just now, which is kept nowhere."""

    email: str
    role: Role
    password: str


class SeedSummary(BaseModel):
    """How much was made; what was there already is left alone and not counted."""

    categories: int
    products: int
    stock_records: int
    users: list[DemoUser]


async def seed(settings: Settings, report: Report) -> SeedSummary:
    """Add what the demo catalog has and the stores lack; refused outside development. Safe to repeat."""
    if not settings.is_development:
        raise OnlyInDevelopment("demo data is for a development platform only, as `micromart up` starts one")
    catalog = load_catalog()
    async with (
        open_products(settings) as products,
        open_inventory(settings) as inventory,
        open_accounts(settings) as accounts,
    ):
        await products.ready()
        return SeedSummary(
            categories=await _add_categories(products, report),
            products=await _add_products(products, catalog, report),
            stock_records=await _add_stock(inventory, catalog, report),
            users=await _add_users(accounts, report),
        )


async def _add_categories(products: ProductsService, report: Report) -> int:
    made = 0
    for category in _reported("categories", load_categories(), report):
        try:
            await products.create_category(NewCategory(**category.model_dump()))
        except CategoryTaken:
            continue
        made += 1
    return made


async def _add_products(products: ProductsService, catalog: Sequence[SeedProduct], report: Report) -> int:
    made = 0
    for product in _reported("products", catalog, report):
        try:
            await products.create(_new_product(product))
        except (SlugTaken, SkuTaken):
            continue
        made += 1
    return made


async def _add_stock(inventory: InventoryService, catalog: Sequence[SeedProduct], report: Report) -> int:
    """Count the skus that were never counted: what is on hand of the others is what the shop did since."""
    on_hand = {variant.sku: variant.on_hand for product in catalog for variant in product.variants}
    known = await inventory.stock_of_many(on_hand)
    missing = [sku for sku in on_hand if sku not in known]
    for sku in _reported("stock", missing, report):
        await inventory.set_on_hand(sku, on_hand[sku])
    return len(missing)


async def _add_users(accounts: Accounts, report: Report) -> list[DemoUser]:
    made = []
    for email, role in _reported("users", list(DEMO_USERS.items()), report):
        password = token_urlsafe(12)
        _, change = await accounts.create_user(email, SecretStr(password), None, {role})
        if change in {Change.CREATED, Change.HANDED_OVER}:
            made.append(DemoUser(email=email, role=role, password=password))
    return made


def _new_product(product: SeedProduct) -> NewProduct:
    fields = product.model_dump(exclude={"variants"})
    variants = [
        {
            "sku": variant.sku,
            "title": variant.title,
            "price": {"amount": variant.price, "currency": CURRENCY},
        }
        for variant in product.variants
    ]
    return NewProduct.model_validate(fields | {"variants": variants})


def _reported(what: str, items: Sequence[Item], report: Report) -> Iterator[Item]:
    for done, item in enumerate(items):
        report(what, done, len(items))
        yield item
    report(what, len(items), len(items))
