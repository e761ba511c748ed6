"""Forged access tokens at the gateway, over a real socket: none opens anything, none is more than refused."""

import time

import aiohttp
import pytest

from tests.forged_tokens import FORGERIES, Forgery
from tests.gateway.stand import ISSUER, Upstream, problem_of, raw_answer
from tests.gateway_peers import bearer

INVALID, EXPIRED = (401, "auth.token_invalid"), (401, "auth.token_expired")
# One for people, one for the staff, one for anybody: a token that does not hold opens none of them.
PATHS = ("/v1/orders", "/v1/admin/orders", "/v1/products")


async def refused(client: aiohttp.ClientSession, authorization: str, path: str) -> tuple[int, str]:
    async with client.get(path, headers={"Authorization": authorization}) as response:
        assert response.headers["www-authenticate"].startswith("Bearer")
        return await problem_of(response)


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_forged_token_opens_nothing(
    client: aiohttp.ClientSession, upstream: Upstream, forge: Forgery
) -> None:
    for path in PATHS:
        assert await refused(client, f"Bearer {forge(ISSUER)}", path) == INVALID
    assert upstream.requests == []


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Token abc",
        "Bearer\tTOKEN",
        "BearerTOKEN",
        "TOKEN",
        "DPoP TOKEN",
    ],
)
async def test_another_scheme_opens_nothing(
    client: aiohttp.ClientSession, upstream: Upstream, authorization: str
) -> None:
    assert await refused(client, authorization.replace("TOKEN", ISSUER.token()), PATHS[0]) == INVALID
    assert upstream.requests == []


async def test_two_authorizations_open_nothing(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    line = f"Authorization: Bearer {ISSUER.token()}\r\n"
    request = f"GET /v1/orders HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{line}{line}\r\n"
    answer = await raw_answer(client, request.encode())
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"auth.token_invalid" in answer
    assert upstream.requests == []


async def test_a_token_of_a_megabyte_is_not_even_read(
    client: aiohttp.ClientSession, upstream: Upstream
) -> None:
    head = b"GET /v1/orders HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer "
    answer = await raw_answer(client, head + b"a" * 1_000_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert upstream.requests == []


async def test_an_expired_token_is_told_apart(client: aiohttp.ClientSession, upstream: Upstream) -> None:
    token = ISSUER.token(exp=int(time.time()) - 31)
    assert await refused(client, f"Bearer {token}", PATHS[0]) == EXPIRED
    assert upstream.requests == []


@pytest.mark.parametrize("change", [{"exp": -20}, {"nbf": 20}, {"iat": 20}], ids=str)
async def test_clocks_may_differ_a_little(client: aiohttp.ClientSession, change: dict[str, int]) -> None:
    now = int(time.time())
    token = ISSUER.token(**{claim: now + seconds for claim, seconds in change.items()})
    async with client.get("/v1/orders", headers=bearer(token)) as response:
        assert response.status == 200
