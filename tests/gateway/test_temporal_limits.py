"""How much one sign-in may ask of the Temporal UI, and how it is told."""

import aiohttp
import pytest

from tests.gateway.fake_temporal_ui import FakeUi
from tests.gateway.stand import problem_of
from tests.gateway.temporal_ui_door import FROM_US, SIGN_IN, cookie_of, door_before, form, token_of
from tests.gateway_peers import bearer

API = "/temporal/api/v1/x"
LIMITED = (429, "gateway.rate_limited")


async def asked(client: aiohttp.ClientSession, path: str, headers: dict[str, str], times: int) -> list[int]:
    statuses = []
    for _ in range(times):
        async with client.get(path, headers=headers, allow_redirects=False) as response:
            statuses.append(response.status)
    return statuses


async def test_a_sign_in_has_a_quota_and_is_told_what_is_left(ui_url: str, ui: FakeUi) -> None:
    async with door_before(ui_url, limit_temporal="3/minute", gateway_processes="1") as (_, browser):
        cookie = await cookie_of(browser, "staff")
        async with browser.get(API, headers=cookie) as response:
            assert response.status == 200
            assert response.headers["ratelimit-policy"] == '"temporal";q=3;w=60'
            assert response.headers["ratelimit"].startswith('"temporal";r=2;')
        assert await asked(browser, API, cookie, 2) == [200, 200]
        async with browser.get(API, headers=cookie) as response:
            assert await problem_of(response) == LIMITED
            assert int(response.headers["retry-after"]) > 0
            assert response.headers["ratelimit"].startswith('"temporal";r=0;')
        async with browser.post("/temporal/sign-out", headers=cookie | FROM_US) as response:
            assert await problem_of(response) == LIMITED
    assert len(ui.requests) == 3


async def test_one_sign_ins_quota_is_not_anothers(ui_url: str) -> None:
    async with door_before(ui_url, limit_temporal="2/minute", gateway_processes="1") as (_, browser):
        staff, admin = bearer(token_of("staff")), bearer(token_of("admin"))
        assert await asked(browser, API, staff, 3) == [200, 200, 429]
        assert await asked(browser, API, admin, 2) == [200, 200]


async def test_a_cookie_and_a_token_of_one_session_share_its_quota(ui_url: str) -> None:
    async with door_before(ui_url, limit_temporal="2/minute", gateway_processes="1") as (_, browser):
        assert await asked(browser, API, bearer(token_of("staff")), 2) == [200, 200]
        assert await asked(browser, API, await cookie_of(browser, "staff"), 1) == [429]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (SIGN_IN, {}, 200),
        (API, {}, 401),
        ("/temporal/", {"Accept": "text/html"}, 303),
        (API, {"Authorization": "Bearer guessed"}, 401),
    ],
)
async def test_who_is_not_signed_in_is_limited_like_a_reader(
    ui_url: str, path: str, headers: dict[str, str], status: int
) -> None:
    changes = {"limit_read": "2/minute", "limit_temporal": "1000/minute", "gateway_processes": "1"}
    async with door_before(ui_url, **changes) as (_, browser):
        assert await asked(browser, path, headers, 3) == [status, status, 429]


async def test_the_form_is_limited_like_any_sign_in(ui_url: str) -> None:
    # Half of it where one process counts alone.
    async with door_before(ui_url, limit_sign_in="4/minute", gateway_processes="1") as (door, browser):
        for expected in (303, 303, 429):
            async with await form(browser, "staff") as response:
                assert response.status == expected
    assert len(door.auth.logins) == 2
