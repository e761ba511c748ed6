"""Very many sessions that ended of late: no gateway is deaf for them, and auth goes on."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import FreshDatabase, Servers
from tests.gateway.sessions_platform import ENDED, ME, SESSIONS, Edge, Platform, platform_over
from tests.polling import until

MANY = 200_000
# All at one instant, as when somebody ends all of their own, and so lately that their access tokens live;
# longer ago than the gateways ask again, so that only the one that begins has to hear of them all.
ENDED_AT_ONCE = """
    INSERT INTO refresh_families
        (id, user_id, created_at, last_used_at, expires_at, ends_at, revoked_at, reason, of_staff)
    SELECT
        gen_random_uuid(), user_id, now(), now(), ends_at, ends_at,
        now() - interval '20 s', 'logged_out', false
    FROM refresh_families CROSS JOIN generate_series(1, $1)
    WHERE id = $2
"""


@pytest.fixture
async def platform(servers: Servers, fresh_database: FreshDatabase) -> AsyncIterator[Platform]:
    async with platform_over(servers, fresh_database) as platform:
        yield platform


async def signed_in(edge: Edge) -> str:
    token: str = (await edge.sign_in(f"{uuid4().hex}@example.com"))["access_token"]
    return token


async def end_many(platform: Platform) -> None:
    """Somebody had very many sessions, and has ended them."""
    _, page = await platform.one.call("GET", SESSIONS, await signed_in(platform.one))
    connection = await asyncpg.connect(platform.settings.database_url("auth"))
    try:
        await connection.execute(ENDED_AT_ONCE, MANY, page["items"][0]["id"])
    finally:
        await connection.close()


async def test_a_gateway_that_begins_hears_of_very_many_and_of_the_next_while_auth_goes_on(
    platform: Platform,
) -> None:
    await end_many(platform)

    async with platform.fresh_edge() as fresh:
        token = await signed_in(platform.one)

        async def is_ready() -> bool:
            return (await fresh.call("GET", "/readyz"))[0] == 200

        await until(is_ready)
        assert await fresh.code("GET", ME, token) == (200, None)
        assert await platform.one.code("POST", "/v1/auth/logout", token) == (204, None)

        async def is_refused() -> bool:
            return await fresh.code("GET", ME, token) == ENDED

        await until(is_refused)
