"""Whoever sends API keys that nobody knows pays for the questions that they cause."""

from collections import Counter
from collections.abc import Mapping

import aiohttp
import pytest

from contracts.auth import ApiKeyGrant, Scope
from tests.gateway.stand import NOBODY, Upstream, gateway_before, problem_of, settings
from tests.gateway_peers import bearer

QUOTA = 3
SENT = 10
FEW_READS = {"limit_read": f"{QUOTA}/minute", "gateway_processes": "1"}
INVALID, LIMITED = (401, "auth.api_key_invalid"), (429, "gateway.rate_limited")
UNAVAILABLE = (503, "auth.api_keys_unavailable")


def key(number: int) -> str:
    return f"mmk_{number:016x}_{'a' * 64}"


async def flood(client: aiohttp.ClientSession, path: str) -> Mapping[tuple[int, str], int]:
    """What comes back for so many keys, each made up anew."""
    seen: Counter[tuple[int, str]] = Counter()
    for number in range(SENT):
        async with client.get(path, headers=bearer(key(number))) as response:
            seen[await problem_of(response)] += 1
    return seen


async def test_made_up_keys_are_asked_about_within_their_senders_limit(
    upstream: Upstream, upstream_url: str
) -> None:
    async with gateway_before(settings(upstream_url, **FEW_READS)) as client:
        assert await flood(client, "/v1/orders") == {INVALID: QUOTA, LIMITED: SENT - QUOTA}
    assert upstream.keys_checked == QUOTA


async def test_they_are_limited_while_auth_cannot_be_asked_too() -> None:
    async with gateway_before(settings(NOBODY, **FEW_READS)) as client:
        assert await flood(client, "/v1/orders") == {UNAVAILABLE: QUOTA, LIMITED: SENT - QUOTA}


async def test_the_temporal_ui_is_for_no_key_so_that_none_is_asked_about(
    upstream: Upstream, upstream_url: str
) -> None:
    async with gateway_before(settings(upstream_url, **FEW_READS)) as client:
        assert await flood(client, "/temporal") == {(403, "auth.forbidden"): QUOTA, LIMITED: SENT - QUOTA}
    assert not upstream.keys_checked


@pytest.mark.parametrize("path", ["/v1/admin/orders", "/v1/products"])
async def test_a_machine_that_is_known_has_a_limit_of_its_own(
    upstream: Upstream, upstream_url: str, path: str
) -> None:
    upstream.grant = ApiKeyGrant(key_id="1", scopes=frozenset({Scope.ORDERS_READ}))
    async with gateway_before(settings(upstream_url, **FEW_READS)) as client:
        for left in (2, 1, 0):
            async with client.get(path, headers=bearer(key(1))) as response:
                assert response.status == 200
                (told,) = response.headers.getall("ratelimit")
                assert told.startswith(f'"read";r={left};')
        async with client.get("/v1/orders", headers=bearer(key(1))) as response:
            assert await problem_of(response) == LIMITED
        # Its address has paid for the first one only, when nobody knew the key yet.
        upstream.grant = None
        assert (await flood(client, "/v1/orders"))[INVALID] == QUOTA - 1
