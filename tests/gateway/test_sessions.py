"""Sessions and signing keys at two gateways before a real auth: sessions end, keys rotate and are retired."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jws

from api.gateway.keys import COOLDOWN_SECONDS
from services.auth.factory import open_keys
from tests.conftest import FreshDatabase, Servers
from tests.gateway.sessions_platform import (
    ENDED,
    ME,
    REFRESH,
    SESSIONS,
    Edge,
    Platform,
    platform_over,
)
from tests.polling import until


def key_of(token: str) -> str:
    """The id of the key that signed it."""
    kid: str = jws.extract_compact(token.encode()).headers()["kid"]
    return kid


@pytest.fixture(scope="module")
async def platform(servers: Servers, fresh_database: FreshDatabase) -> AsyncIterator[Platform]:
    async with platform_over(servers, fresh_database) as platform:
        yield platform


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.com"


async def test_after_a_logout_the_token_opens_nothing_at_once_here_and_soon_elsewhere(
    platform: Platform, email: str
) -> None:
    token = (await platform.one.sign_in(email))["access_token"]
    for edge in (platform.one, platform.other):
        assert await edge.code("GET", ME, token) == (200, None)

    assert await platform.one.code("POST", "/v1/auth/logout", token) == (204, None)

    assert await platform.one.code("GET", ME, token) == ENDED

    async def is_refused() -> bool:
        return await platform.other.code("GET", ME, token) == ENDED

    await until(is_refused)


async def test_after_a_logout_everywhere_no_token_of_mine_opens_anything(
    platform: Platform, email: str
) -> None:
    tokens = [(await platform.one.sign_in(email))["access_token"] for _ in range(3)]
    other = (await platform.one.sign_in(f"other-{email}"))["access_token"]

    assert await platform.one.code("DELETE", SESSIONS, tokens[0]) == (204, None)

    for token in tokens:
        for edge in (platform.one, platform.other):

            async def is_refused(edge: Edge = edge, token: str = token) -> bool:
                return await edge.code("GET", ME, token) == ENDED

            await until(is_refused)
    assert await platform.other.code("GET", ME, other) == (200, None)


async def test_a_session_that_i_end_elsewhere_is_over_and_this_one_goes_on(
    platform: Platform, email: str
) -> None:
    lost, mine = [(await platform.one.sign_in(email))["access_token"] for _ in range(2)]
    _, page = await platform.one.call("GET", SESSIONS, mine)
    [theirs] = [item["id"] for item in page["items"] if not item["current"]]

    assert await platform.one.code("DELETE", f"{SESSIONS}/{theirs}", mine) == (204, None)

    async def is_refused() -> bool:
        return await platform.one.code("GET", ME, lost) == ENDED

    await until(is_refused)
    assert await platform.one.code("GET", ME, mine) == (200, None)


async def test_what_ended_before_a_gateway_began_is_refused_there_too(platform: Platform, email: str) -> None:
    token = (await platform.one.sign_in(email))["access_token"]
    await platform.one.code("POST", "/v1/auth/logout", token)
    async with platform.fresh_edge() as edge:
        assert await edge.code("GET", ME, token) == ENDED


async def test_a_hundred_tabs_that_refresh_at_once_all_go_on(platform: Platform, email: str) -> None:
    spent = {"refresh_token": (await platform.one.sign_in(email))["refresh_token"]}
    answers = await asyncio.gather(
        *(
            edge.call("POST", REFRESH, body=spent)
            for edge in (platform.one, platform.other)
            for _ in range(50)
        )
    )
    assert Counter(status for status, _ in answers) == {200: 100}
    [successor] = {answer["refresh_token"] for _, answer in answers}
    assert (await platform.one.call("POST", REFRESH, body={"refresh_token": successor}))[0] == 200


@dataclass
class Shopper:
    """Goes on and on with fresh tokens at both gateways."""

    platform: Platform
    tokens: Any
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            spent = {"refresh_token": self.tokens["refresh_token"]}
            status, self.tokens = await self.platform.one.call("POST", REFRESH, body=spent)
            assert status == 200
            token = self.tokens["access_token"]
            kid = key_of(token)
            for edge in (self.platform.one, self.platform.other):
                self.answers[kid, (await edge.call("GET", ME, token))[0]] += 1


@asynccontextmanager
async def going_on(shoppers: list[Shopper]) -> AsyncIterator[None]:
    """They shop while the block runs."""
    stop = asyncio.Event()
    running = [asyncio.create_task(shopper.run(stop)) for shopper in shoppers]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*running)


async def test_a_key_takes_over_and_the_old_one_goes_under_load_without_one_good_token_refused(
    platform: Platform, email: str
) -> None:
    before = (await platform.one.sign_in(email))["access_token"]
    shoppers = [Shopper(platform, await platform.one.sign_in(f"{number}{email}")) for number in range(4)]
    async with open_keys(platform.settings) as keys, going_on(shoppers):
        following = await keys.rotate(timedelta(seconds=COOLDOWN_SECONDS + 1))

        async def has_taken_over() -> bool:
            return all(shopper.answers[following.kid, 200] >= 20 for shopper in shoppers)

        await until(has_taken_over)
        await keys.retire(key_of(before), compromised=True)
        await platform.is_refused_everywhere(before)
        answered = [shopper.answers[following.kid, 200] for shopper in shoppers]

        async def go_on() -> bool:
            now = [shopper.answers[following.kid, 200] for shopper in shoppers]
            return all(after >= before + 20 for before, after in zip(answered, now, strict=True))

        await until(go_on)
    answers = sum((shopper.answers for shopper in shoppers), Counter())
    assert {status for _, status in answers} == {200}
    assert {kid for kid, _ in answers} == {key_of(before), following.kid}


async def test_a_compromised_key_opens_nothing_any_more_and_its_successor_everything(
    platform: Platform, email: str
) -> None:
    token = (await platform.one.sign_in(email))["access_token"]
    for edge in (platform.one, platform.other):
        assert await edge.code("GET", ME, token) == (200, None)

    async with open_keys(platform.settings) as keys:
        await keys.retire(key_of(token), compromised=True)

    await platform.is_refused_everywhere(token)
    successor = (await platform.one.sign_in(email))["access_token"]
    assert key_of(successor) != key_of(token)
    for edge in (platform.one, platform.other):
        assert await edge.code("GET", ME, successor) == (200, None)
