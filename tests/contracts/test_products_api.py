"""Products' routes over HTTP, as the gateway and our own processes see them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import pytest

from api.inventory.app import inventory_app
from api.products.app import products_app
from contracts.events import Event
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity, Role
from contracts.inventory import STOCK_CHANGED, StockChanged
from runtime.clock import utc_now
from runtime.identity import IdentitySigner
from runtime.reactor import Reactor
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from services.inventory.factory import open_inventory
from services.products.factory import migrate, open_products
from tests.conftest import FreshDatabase, Servers
from tests.http_server import serving
from tests.polling import until
from tests.ports import free_port
from tests.products_samples import IDENTITY_SECRET, SERVICE_SECRET, catalog_settings, new_product
from workers.products import HEARS

# A machine that stalls is no reason to cut a reaction off.
PATIENCE_SECONDS = 60.0
SIGNER = IdentitySigner(IDENTITY_SECRET)
CARTS = ServiceProof(SERVICE_SECRET, "carts")
STAFF = Identity(subject="s", roles=frozenset({Role.STAFF}))
CUSTOMER = Identity(subject="c", roles=frozenset({Role.CUSTOMER}))
WRITES = [
    ("POST", "/v1/products", new_product("kettle").model_dump(mode="json")),
    ("PATCH", "/v1/products/moka", {"title": "Mine"}),
    ("DELETE", "/v1/products/moka", None),
    ("POST", "/v1/categories", {"slug": "mine", "title": "Mine"}),
]


@dataclass(frozen=True)
class Answer:
    status: int
    json: Any
    headers: Any

    @property
    def refusal(self) -> tuple[int, str]:
        assert self.headers["content-type"] == "application/problem+json"
        return self.status, self.json["code"]


@dataclass(frozen=True)
class Client:
    """Calls as staff unless told otherwise."""

    session: aiohttp.ClientSession

    async def send(
        self, method: str, path: str, body: object = None, caller: Identity | None = STAFF
    ) -> Answer:
        headers = {IDENTITY_HEADER: SIGNER.sign(caller)} if caller is not None else {}
        if path.startswith("/internal"):
            headers[SERVICE_HEADER] = CARTS.for_listener("products")
        async with self.session.request(method, path, json=body, headers=headers) as response:
            content = await response.json(content_type=None) if response.status != 204 else None
            return Answer(response.status, content, response.headers)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path, caller=None)

    async def add(self, slug: str, **fields: Any) -> Any:
        answer = await self.send("POST", "/v1/products", new_product(slug, **fields).model_dump(mode="json"))
        assert answer.status == 201
        return answer.json


@pytest.fixture
def settings(servers: Servers) -> Settings:
    """Settings whose inventory nobody serves."""
    return catalog_settings(servers.mongo_url, inventory_url=f"http://127.0.0.1:{free_port()}")


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Client]:
    await migrate(settings)
    async with serving(products_app(settings)) as url, aiohttp.ClientSession(url) as session:
        client = Client(session)
        await client.send("POST", "/v1/categories", {"slug": "kitchen", "title": "Kitchen"})
        yield client


async def test_a_product_has_the_shape_that_clients_know(api: Client) -> None:
    created = await api.add("moka", title="Moka Pot", images=["/images/moka.jpg"], prices={"M3": 3490})
    for reference in (created["id"], "moka"):
        answer = await api.get(f"/v1/products/{reference}")
        assert answer.status == 200
        assert answer.json == created
    times = {"id", "created_at", "updated_at"}
    assert {name: value for name, value in created.items() if name not in times} == {
        "slug": "moka",
        "title": "Moka Pot",
        "description": "",
        "category": "kitchen",
        "images": ["/images/moka.jpg"],
        "variants": [
            {
                "sku": "M3",
                "title": "Size 3",
                "price": {"amount": 3490, "currency": "EUR"},
                "available": None,
            }
        ],
    }


async def test_a_new_product_says_where_it_is(api: Client) -> None:
    answer = await api.send("POST", "/v1/products", new_product("moka").model_dump(mode="json"))
    assert (await api.get(answer.headers["location"])).json["slug"] == "moka"


async def test_a_list_goes_on_where_its_cursor_says(api: Client) -> None:
    for slug in ("a", "b", "c"):
        await api.add(slug)
    first = (await api.get("/v1/products?sort=title&limit=2")).json
    rest = (await api.get(f"/v1/products?sort=title&limit=2&cursor={first['next_cursor']}")).json
    assert [item["slug"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


async def test_a_list_can_be_searched_and_filtered(api: Client) -> None:
    await api.add("moka", title="Moka Pot", price=3000)
    await api.add("kettle", title="Kettle", price=5000)
    for query in ("q=pots", "max_price=3000", "q=moka&sort=price&category=kitchen&min_price=1"):
        answer = await api.get(f"/v1/products?{query}")
        assert [item["slug"] for item in answer.json["items"]] == ["moka"], query


async def test_a_blank_search_is_none(api: Client) -> None:
    await api.add("moka")
    assert len((await api.get("/v1/products?q=%20")).json["items"]) == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "sort=relevance", "min_price=-1", "category=No", "cursor=x"]
)
async def test_a_list_refuses_what_it_does_not_take(api: Client, query: str) -> None:
    assert (await api.get(f"/v1/products?{query}")).status == 422


async def test_a_cursor_of_another_order_is_refused(api: Client) -> None:
    for slug in ("a", "b"):
        await api.add(slug)
    cursor = (await api.get("/v1/products?sort=title&limit=1")).json["next_cursor"]
    answer = await api.get(f"/v1/products?sort=price&cursor={cursor}")
    assert answer.refusal == (422, "request.invalid_cursor")


async def test_an_unknown_product_is_not_found(api: Client) -> None:
    assert (await api.get("/v1/products/nothing")).refusal == (404, "products.not_found")
    assert (await api.get("/v1/products/No%20Such%00Thing")).refusal == (404, "products.not_found")
    assert (await api.send("PATCH", "/v1/products/nothing", {})).refusal == (404, "products.not_found")


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_only_staff_writes(api: Client, method: str, path: str, body: object) -> None:
    await api.add("moka")
    assert (await api.send(method, path, body, caller=None)).refusal == (401, "auth.unauthenticated")
    assert (await api.send(method, path, body, caller=CUSTOMER)).refusal == (403, "auth.forbidden")
    assert (await api.get("/v1/products/moka")).json["title"] == "Moka"


async def test_a_patch_changes_what_it_names(api: Client) -> None:
    created = await api.add("moka")
    answer = await api.send("PATCH", f"/v1/products/{created['id']}", {"title": "Moka Pot"})
    assert answer.status == 200
    later = {"title": "Moka Pot", "updated_at": answer.json["updated_at"]}
    assert answer.json == created | later


async def test_a_deleted_product_is_gone(api: Client) -> None:
    await api.add("moka")
    assert (await api.send("DELETE", "/v1/products/moka")).status == 204
    assert (await api.send("DELETE", "/v1/products/moka")).refusal == (404, "products.not_found")
    assert (await api.get("/v1/products")).json == {"items": [], "next_cursor": None}


async def test_what_is_taken_conflicts(api: Client) -> None:
    await api.add("moka")
    body = new_product("moka", prices={"OTHER": 1}).model_dump(mode="json")
    assert (await api.send("POST", "/v1/products", body)).refusal == (409, "products.slug_taken")
    body = new_product("other", prices={"MOKA": 1}).model_dump(mode="json")
    assert (await api.send("POST", "/v1/products", body)).refusal == (409, "products.sku_taken")
    category = {"slug": "kitchen", "title": "Again"}
    assert (await api.send("POST", "/v1/categories", category)).refusal == (409, "products.category_taken")


async def test_an_unknown_category_is_refused(api: Client) -> None:
    body = new_product("moka", category="nowhere").model_dump(mode="json")
    assert (await api.send("POST", "/v1/products", body)).refusal == (422, "products.unknown_category")


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"title": ""},
        {"title": 7},
        {"variants": []},
        {"variants": [{"sku": "A", "title": "A", "price": {"amount": "1", "currency": "EUR"}}]},
        {"variants": [{"sku": "A", "title": "A", "price": {"amount": 1, "currency": "EUR"}, "on_hand": 1}]},
        {"variants": [{"sku": "A", "title": "A", "price": {"amount": 1, "currency": "EUR", "tax": 1}}]},
    ],
)
async def test_a_body_of_another_shape_is_refused(api: Client, wrong: dict[str, object]) -> None:
    body = new_product("moka").model_dump(mode="json") | wrong
    assert (await api.send("POST", "/v1/products", body)).refusal == (422, "request.invalid")
    await api.add("moka")
    assert (await api.send("PATCH", "/v1/products/moka", wrong)).refusal == (422, "request.invalid")


async def test_a_null_is_no_change(api: Client) -> None:
    await api.add("moka")
    assert (await api.send("PATCH", "/v1/products/moka", {"title": None})).refusal == (422, "request.invalid")


async def test_categories_are_listed_in_pages(api: Client) -> None:
    desk = {"slug": "desk", "title": "Desk", "description": "Paper and pens."}
    created = await api.send("POST", "/v1/categories", desk)
    assert (created.status, created.json) == (201, desk)
    first = (await api.get("/v1/categories?limit=1")).json
    assert first["items"] == [desk]
    rest = (await api.get(f"/v1/categories?limit=1&cursor={first['next_cursor']}")).json
    assert ([item["slug"] for item in rest["items"]], rest["next_cursor"]) == (["kitchen"], None)


async def test_quotes_leave_out_what_is_not_sold(api: Client) -> None:
    moka = await api.add("moka", title="Moka Pot", prices={"M3": 3490})
    answer = await api.send("POST", "/internal/quotes", {"skus": ["M3", "GONE"]}, caller=None)
    price = {"amount": 3490, "currency": "EUR"}
    title = "Moka Pot – Size 3"
    assert answer.json == {"items": [{"sku": "M3", "title": title, "price": price, "product_id": moka["id"]}]}


async def test_too_many_quotes_at_once_are_refused(api: Client) -> None:
    skus = [f"A{n}" for n in range(101)]
    answer = await api.send("POST", "/internal/quotes", {"skus": skus}, caller=None)
    assert answer.refusal == (422, "request.invalid")


async def test_the_internal_routes_are_not_published(api: Client) -> None:
    paths = (await api.get("/openapi.json")).json["paths"]
    assert "/v1/products/{reference}" in paths
    assert not any(path.startswith("/internal") for path in paths)


async def known_stock(ask: Callable[[], Awaitable[Any]]) -> list[int]:
    """What can be had of the product that is answered, once inventory was fast enough for the catalog."""
    stock: list[int] = []

    async def is_known() -> bool:
        stock[:] = [variant["available"] for variant in (await ask())["variants"]]
        return None not in stock

    await until(is_known)
    return stock


async def test_what_can_be_had_comes_from_inventory(servers: Servers, fresh_database: FreshDatabase) -> None:
    database = await fresh_database("inventory")
    stocked = catalog_settings(servers.mongo_url, inventory_database_url=database)
    async with serving(inventory_app(stocked)) as inventory_url, open_inventory(stocked) as inventory:
        settings = stocked.model_copy(update={"inventory_url": inventory_url})
        await migrate(settings)
        async with serving(products_app(settings)) as url, aiohttp.ClientSession(url) as session:
            api, numbers = Client(session), count()
            await api.send("POST", "/v1/categories", {"slug": "kitchen", "title": "Kitchen"})

            async def created() -> Any:
                number = next(numbers)
                await inventory.set_on_hand(f"M3-{number}", 40)
                return await api.add(f"moka-{number}", prices={f"M3-{number}": 1, f"M6-{number}": 2})

            async def listed() -> Any:
                return (await api.get("/v1/products")).json["items"][0]

            async def shown() -> Any:
                return (await api.get("/v1/products/moka-0")).json

            for ask in (created, listed, shown):
                assert await known_stock(ask) == [40, 0]


async def test_while_inventory_is_away_what_was_heard_last_is_shown(settings: Settings, api: Client) -> None:
    await api.add("moka", prices={"M3": 1, "M6": 2})
    async with open_products(settings) as products:
        reactor = Reactor(products, HEARS, patience=PATIENCE_SECONDS)
        for available, sequence in ((40, 1), (38, 3), (39, 2)):
            told = StockChanged(sku="M3", on_hand=40, reserved=0, available=available, reason="sold")
            event = Event.of(STOCK_CHANGED, subject="M3", sequence=sequence, time=utc_now(), data=told)
            await reactor.react("products.follow_stock", STOCK_CHANGED, event.model_dump_json())
    listed = (await api.get("/v1/products")).json["items"][0]
    for product in (listed, (await api.get("/v1/products/moka")).json):
        assert [variant["available"] for variant in product["variants"]] == [38, None]


async def test_without_its_database_the_catalog_says_so_and_lives(servers: Servers) -> None:
    nobody = catalog_settings(f"mongodb://127.0.0.1:{free_port()}")
    async with serving(products_app(nobody)) as url, aiohttp.ClientSession(url) as session:
        api = Client(session)
        assert (await api.get("/v1/products")).refusal == (503, "service.unavailable")
        assert (await api.get("/readyz")).status == 503
        assert (await api.get("/healthz")).status == 200
