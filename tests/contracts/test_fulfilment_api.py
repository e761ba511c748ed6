"""Fulfilment over HTTP: what the contract promises the staff, also while Temporal is away."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from api.fulfilment.app import fulfilment_app
from contracts.fulfilment import FinishShipping, StopShipment
from contracts.identity import IDENTITY_HEADER, Identity, Role
from contracts.problems import PROBLEM_JSON
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from services.fulfilment.factory import open_fulfilment
from services.fulfilment.service import FulfilmentService
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.ports import free_port
from tests.stores.fulfilment_depot import LINES, confirmed, new_order_id

SECRET = "a secret of the tests"
INVALID, NOT_FOUND = (422, "request.invalid"), (404, "fulfilment.not_found")
WRONG_STATE = (409, "fulfilment.wrong_state")
PARCEL = {"carrier": "DHL", "tracking": "0034"}


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: Any

    @property
    def problem(self) -> tuple[int, str]:
        assert self.content_type == PROBLEM_JSON
        return self.status, str(self.body["code"])


@dataclass(frozen=True)
class Client:
    """Somebody who calls the API: a visitor, or whom the gateway vouches for."""

    session: aiohttp.ClientSession
    identity_header: str | None = None

    def signed_in(self, role: Role) -> "Client":
        identity = Identity(subject="ada", roles=frozenset({role}))
        return Client(self.session, IdentitySigner(SECRET).sign(identity))

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        headers = {"content-type": "application/json"}
        if self.identity_header is not None:
            headers[IDENTITY_HEADER] = self.identity_header
        data = json.dumps(body).encode() if body is not None else None
        async with self.session.request(method, path, data=data, headers=headers) as response:
            return Answer(response.status, response.content_type, await response.json(content_type=None))

    async def get(self, order_id: str) -> Answer:
        return await self.call("GET", f"/v1/fulfilments/{order_id}")

    async def listed(self, query: str = "") -> Answer:
        return await self.call("GET", f"/v1/fulfilments{query}")

    async def ship(self, order_id: str, body: object = PARCEL) -> Answer:
        return await self.call("POST", f"/v1/fulfilments/{order_id}/ship", body)

    async def deliver(self, order_id: str) -> Answer:
        return await self.call("POST", f"/v1/fulfilments/{order_id}/deliver")


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> Settings:
    """Temporal is away all the time: what the staff says must stand all the same."""
    return Settings(
        identity_secret=SecretStr(SECRET),
        service_secret=SecretStr(SECRET),
        fulfilment_database_url=SecretStr(await fresh_database("fulfilment")),
        temporal_address=f"127.0.0.1:{free_port()}",
    )


@pytest.fixture(scope="module")
async def fulfilment(settings: Settings) -> AsyncIterator[FulfilmentService]:
    async with open_fulfilment(settings) as fulfilment:
        yield fulfilment


@pytest.fixture(scope="module")
async def visitor(settings: Settings) -> AsyncIterator[Client]:
    async with serving(fulfilment_app(settings)) as url, aiohttp.ClientSession(url) as session:
        yield Client(session)


@pytest.fixture(scope="module")
def staff(visitor: Client) -> Client:
    return visitor.signed_in(Role.STAFF)


@pytest.fixture
async def order_id(fulfilment: FulfilmentService) -> str:
    """An order whose parcel waits."""
    return (await fulfilment.open_shipment(confirmed(new_order_id()))).order_id


async def finish(fulfilment: FulfilmentService, order_id: str) -> None:
    """What the workflow does once the money is taken and the stock is gone."""
    await fulfilment.finish_shipping(FinishShipping(order_id=order_id))


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
async def test_staff_see_a_parcel(visitor: Client, order_id: str, role: Role) -> None:
    answer = await visitor.signed_in(role).get(order_id)
    assert answer.status == 200
    assert answer.body.pop("created_at") == answer.body.pop("updated_at")
    assert answer.body == {
        "order_id": order_id,
        "state": "open",
        "lines": [line.model_dump() for line in LINES],
        "carrier": None,
        "tracking": None,
        "reason": None,
        "reminders": 0,
    }


async def test_a_shipment_is_taken_in_while_temporal_is_away(staff: Client, order_id: str) -> None:
    for _ in range(2):
        answer = await staff.ship(order_id)
        assert answer.status == 202
        assert (answer.body["state"], answer.body["carrier"], answer.body["tracking"]) == (
            "shipping",
            "DHL",
            "0034",
        )


async def test_a_delivery_is_taken_in_while_temporal_is_away(
    staff: Client, order_id: str, fulfilment: FulfilmentService
) -> None:
    await staff.ship(order_id)
    await finish(fulfilment, order_id)
    for _ in range(2):
        answer = await staff.deliver(order_id)
        assert (answer.status, answer.body["state"]) == (202, "delivered")


async def test_a_parcel_in_the_wrong_state_is_refused(
    staff: Client, order_id: str, fulfilment: FulfilmentService
) -> None:
    assert (await staff.deliver(order_id)).problem == WRONG_STATE
    await staff.ship(order_id)
    assert (await staff.ship(order_id, {"carrier": "UPS", "tracking": "1Z"})).problem == WRONG_STATE
    assert (await staff.deliver(order_id)).problem == WRONG_STATE
    await finish(fulfilment, order_id)
    assert (await staff.ship(order_id)).problem == WRONG_STATE


async def test_a_stopped_parcel_is_not_shipped(
    staff: Client, order_id: str, fulfilment: FulfilmentService
) -> None:
    await fulfilment.stop(StopShipment(order_id=order_id))
    assert (await staff.ship(order_id)).problem == WRONG_STATE


async def test_an_order_without_a_parcel_is_not_found(staff: Client) -> None:
    order_id = new_order_id()
    for call in (staff.get(order_id), staff.ship(order_id), staff.deliver(order_id)):
        assert (await call).problem == NOT_FOUND


async def test_only_staff_see_and_send_parcels(visitor: Client, order_id: str) -> None:
    customer = visitor.signed_in(Role.CUSTOMER)
    for client, refused in ((visitor, (401, "auth.unauthenticated")), (customer, (403, "auth.forbidden"))):
        for call in (
            client.listed(),
            client.get(order_id),
            client.ship(order_id),
            client.deliver(order_id),
        ):
            assert (await call).problem == refused


async def test_the_list_goes_page_by_page_newest_first(staff: Client, fulfilment: FulfilmentService) -> None:
    opened = [await fulfilment.open_shipment(confirmed(new_order_id())) for _ in range(3)]
    found: list[str] = []
    query = "?state=open&limit=2"
    while len(found) < 3:
        page = (await staff.listed(query)).body
        assert len(page["items"]) <= 2
        found += [item["order_id"] for item in page["items"]]
        query = f"?state=open&limit=2&cursor={page['next_cursor']}"
    assert found[:3] == [shipment.order_id for shipment in reversed(opened)]


async def test_the_list_holds_only_the_state_that_was_asked_for(staff: Client, order_id: str) -> None:
    await staff.ship(order_id)
    items = (await staff.listed("?state=shipping&limit=100")).body["items"]
    assert order_id in [item["order_id"] for item in items]
    assert {item["state"] for item in items} == {"shipping"}


@pytest.mark.parametrize("query", ["?state=lost", "?limit=0", "?limit=101"])
async def test_a_list_that_cannot_be_is_refused(staff: Client, query: str) -> None:
    assert (await staff.listed(query)).problem == INVALID


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJ4IiwgInkiXQ", "WyIyMDI2LTExLTIyIiwgIlx1MDAwMCJd"])
async def test_a_cursor_that_is_not_ours_is_refused(staff: Client, cursor: str) -> None:
    assert (await staff.listed(f"?cursor={cursor}")).problem == (422, "request.invalid_cursor")


@pytest.mark.parametrize("field", ["carrier", "tracking"])
@pytest.mark.parametrize("value", ["", "two\nlines", "\x00", "\ud800", "x" * 200, 1, None])
async def test_a_label_holds_one_line(staff: Client, order_id: str, field: str, value: object) -> None:
    assert (await staff.ship(order_id, PARCEL | {field: value})).problem == INVALID


@pytest.mark.parametrize("body", [{}, {"carrier": "DHL"}, PARCEL | {"state": "shipped"}])
async def test_a_label_has_its_two_fields_and_no_other(staff: Client, order_id: str, body: object) -> None:
    assert (await staff.ship(order_id, body)).problem == INVALID


@pytest.mark.parametrize("order_id", ["%00", "a%20b", "x" * 65, "%ED%A0%80"])
async def test_what_cannot_be_an_order_is_refused(staff: Client, order_id: str) -> None:
    assert (await staff.get(order_id)).problem == INVALID


async def test_a_service_is_busy_without_its_database(settings: Settings) -> None:
    nowhere = SecretStr(f"postgresql://fulfilment:x@127.0.0.1:{free_port()}/fulfilment")
    without = settings.model_copy(update={"fulfilment_database_url": nowhere})
    async with serving(fulfilment_app(without)) as url, aiohttp.ClientSession(url) as session:
        client = Client(session).signed_in(Role.STAFF)
        assert (await client.call("GET", "/readyz")).problem == (503, "service.unavailable")
        assert (await client.get(new_order_id())).problem == (503, "service.unavailable")
