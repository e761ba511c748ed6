"""Notifications over HTTP, and what orders tells notifications of a buyer."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from api.notifications.app import notifications_app
from api.orders.app import orders_app
from contracts.identity import IDENTITY_HEADER, Identity, Role
from contracts.notifications import NotificationState
from contracts.orders import OrderContact
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from services.notifications.errors import Bounced
from services.notifications.factory import open_store
from services.notifications.notification import Notification
from services.notifications.peers import OrdersPeer
from services.notifications.rules import Template
from services.orders.factory import open_store as open_orders_store
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.orders_samples import NOON, new_order

SECRET = "a secret of the tests"
PATH = "/v1/admin/notifications"


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> Settings:
    return Settings(
        identity_secret=SecretStr(SECRET),
        service_secret=SecretStr(SECRET),
        order_token_secret=SecretStr(SECRET),
        notifications_database_url=SecretStr(await fresh_database("notifications")),
        orders_database_url=SecretStr(await fresh_database("orders")),
    )


@pytest.fixture(scope="module")
async def session(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(notifications_app(settings)) as url, aiohttp.ClientSession(url) as opened:
        yield opened


@pytest.fixture(scope="module")
async def orders(settings: Settings) -> list[str]:
    """Five notifications, a second between each; the first was sent, and the second bounced."""
    ids = [uuid4().hex for _ in range(5)]
    ends = {0: (NotificationState.SENT, None), 1: (NotificationState.BOUNCED, "550")}
    async with open_store(settings) as store, store.begin() as tx:
        for number, order_id in enumerate(ids):
            await tx.add(
                Notification(
                    id=f"n-{number}",
                    template=Template.ORDER_CONFIRMED,
                    order_id=order_id,
                    user_id=None,
                    facts={},
                    message_id=f"<n-{number}@micromart.example>",
                    created_at=NOON + timedelta(seconds=number),
                )
            )
            if number in ends:
                await tx.end(f"n-{number}", *ends[number], NOON)
    return ids


async def get(session: aiohttp.ClientSession, *roles: Role, **query: str | int) -> tuple[int, Any]:
    headers = {}
    if roles:
        identity = Identity(subject="grace", roles=frozenset(roles))
        headers[IDENTITY_HEADER] = IdentitySigner(SECRET).sign(identity)
    async with session.get(PATH, params=query, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_staff_see_what_was_written_newest_first(
    session: aiohttp.ClientSession, orders: list[str]
) -> None:
    status, body = await get(session, Role.STAFF)
    assert status == 200
    assert [item["order_id"] for item in body["items"]] == orders[::-1]
    assert body["next_cursor"] is None


async def test_a_notification_is_shown_with_how_it_stands(
    session: aiohttp.ClientSession, orders: list[str]
) -> None:
    _, body = await get(session, Role.STAFF, order_id=orders[1])
    assert body["items"] == [
        {
            "id": "n-1",
            "template": "order_confirmed",
            "state": "bounced",
            "order_id": orders[1],
            "user_id": None,
            "message_id": "<n-1@micromart.example>",
            "attempts": 1,
            "last_error": "550",
            "handed_over": False,
            "created_at": "2026-11-22T12:00:01Z",
            "sent_at": None,
        }
    ]


@pytest.mark.parametrize(("state", "expected"), [("sent", 1), ("bounced", 1), ("pending", 3)])
async def test_staff_ask_for_one_state(
    session: aiohttp.ClientSession, orders: list[str], state: str, expected: int
) -> None:
    _, body = await get(session, Role.ADMIN, state=state)
    assert [item["state"] for item in body["items"]] == [state] * expected


async def test_a_cursor_goes_on_where_a_page_ended(session: aiohttp.ClientSession, orders: list[str]) -> None:
    _, first = await get(session, Role.STAFF, limit=3)
    _, rest = await get(session, Role.STAFF, limit=3, cursor=first["next_cursor"])
    assert [item["order_id"] for item in (*first["items"], *rest["items"])] == orders[::-1]
    assert rest["next_cursor"] is None


async def test_nobody_else_sees_them(session: aiohttp.ClientSession) -> None:
    assert (await get(session))[0] == 401
    assert (await get(session, Role.CUSTOMER))[0] == 403


@pytest.mark.parametrize(
    "query", [{"state": "lost"}, {"limit": 0}, {"limit": 101}, {"order_id": "a b"}, {"cursor": "%"}]
)
async def test_what_cannot_be_asked_is_refused(
    session: aiohttp.ClientSession, query: dict[str, str | int]
) -> None:
    assert (await get(session, Role.STAFF, **query))[0] == 422


async def test_orders_tells_whom_to_write_to(settings: Settings) -> None:
    order = new_order()
    async with open_orders_store(settings) as store, store.begin() as tx:
        assert await tx.add(order, NOON)
    async with (
        serving(orders_app(settings)) as url,
        ServiceClient(url, "orders", ServiceProof(SECRET, "notifications")) as client,
    ):
        contact = await OrdersPeer(client).contact(order.id)
        with pytest.raises(Bounced):
            await OrdersPeer(client).contact("nobody")
    assert contact == OrderContact.model_validate(
        {
            "email": order.email,
            "name": "Ada Lovelace",
            "lines": [
                {
                    "title": "Title of MUG",
                    "quantity": 2,
                    "line_total": {"amount": 1000, "currency": "EUR"},
                }
            ],
            "total": {"amount": 1000, "currency": "EUR"},
        }
    )
