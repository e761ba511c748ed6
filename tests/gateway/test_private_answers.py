"""What is somebody's is kept by no browser and no proxy, however they proved that it is theirs."""

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from tests.gateway.stand import ISSUER, Upstream
from tests.gateway_peers import answer, bearer

NO_STORE = ["no-store"]


async def kept(client: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> list[str]:
    async with client.get(path, headers=headers) as response:
        return response.headers.getall("cache-control", [])


@pytest.mark.parametrize(
    "path",
    ["/v1/carts/a-guests", "/v1/orders/a-guests", "/v1/checkouts/a-guests", "/v1/auth/oidc", "/v1/auth/me"],
)
@pytest.mark.parametrize("headers", [{}, {"X-Order-Token": "proof"}, bearer(ISSUER.token())])
async def test_what_may_be_somebodys_is_not_kept(
    client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    assert await kept(client, path, headers) == NO_STORE


@pytest.mark.parametrize("path", ["/v1/products", "/v1/products/mug", "/v1/categories", "/v1/inventory/MUG"])
async def test_what_everybody_sees_may_be_kept_unless_somebody_asks(
    client: aiohttp.ClientSession, path: str
) -> None:
    assert await kept(client, path, {}) == []
    assert await kept(client, path, bearer(ISSUER.token())) == NO_STORE
    assert await kept(client, path, {"X-Order-Token": "proof"}) == NO_STORE


async def test_a_service_knows_better(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    async def fresh(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, b"{}", [(b"cache-control", b"private, max-age=5")])

    upstream.handle = fresh
    assert await kept(client, "/v1/carts/a-guests", {}) == ["private, max-age=5"]
