"""Refresh tokens on a real PostgreSQL: spent once, the same again for a moment, then the end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from contracts.identity import Role
from services.auth.errors import InvalidRefreshToken, TokenReused
from services.auth.refresh_answers import AnswerSeal
from tests.conftest import FreshDatabase
from tests.stores.auth_sessions_desk import (
    EMAIL,
    LIFETIMES,
    SECOND,
    SessionsDesk,
    open_sessions_desk,
)

NEW_PASSWORD = SecretStr("battery staple")


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[SessionsDesk]:
    async with open_sessions_desk(fresh_database) as opened:
        yield opened


async def test_a_refresh_keeps_the_session_and_spends_the_token(desk: SessionsDesk) -> None:
    first = await desk.sign_in()
    second = await desk.refresh(first)
    third = await desk.refresh(second)
    sessions = {(await desk.claims(tokens))["sid"] for tokens in (first, second, third)}
    assert len(sessions) == 1
    assert len({tokens.refresh_token for tokens in (first, second, third)}) == 3


async def test_within_the_grace_a_spent_token_gets_the_same_answer_again(desk: SessionsDesk) -> None:
    first = await desk.sign_in()
    second = await desk.refresh(first)
    desk.clock.now += LIFETIMES.grace - SECOND
    assert await desk.refresh(first) == second
    await desk.refresh(second)


async def test_a_hundred_who_refresh_at_once_are_given_one_successor(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    answers = await asyncio.gather(*(desk.refresh(tokens) for _ in range(100)))
    assert len(set(answers)) == 1
    assert await desk.rows("SELECT count(*) FROM refresh_tokens") == [2]


async def test_a_token_reused_after_the_grace_ends_its_session_for_good(desk: SessionsDesk) -> None:
    first = await desk.sign_in()
    second = await desk.refresh(first)
    desk.clock.now += LIFETIMES.grace
    for _ in range(2):
        with pytest.raises(TokenReused):
            await desk.refresh(first)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(second)
    assert await desk.reasons() == ["token_reused"]


async def test_a_logout_ends_the_grace(desk: SessionsDesk) -> None:
    first = await desk.sign_in()
    second = await desk.refresh(first)
    await desk.sessions.logout(await desk.caller(second))
    with pytest.raises(TokenReused):
        await desk.refresh(first)


async def test_a_reused_token_leaves_the_users_other_sessions_alone(desk: SessionsDesk) -> None:
    stolen = await desk.sign_in()
    other = await desk.sign_in()
    await desk.refresh(stolen)
    desk.clock.now += LIFETIMES.grace
    with pytest.raises(TokenReused):
        await desk.refresh(stolen)
    await desk.refresh(other)


async def test_of_those_who_race_with_a_reused_token_all_are_refused(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    await desk.refresh(tokens)
    desk.clock.now += LIFETIMES.grace
    answers = await asyncio.gather(*(desk.refresh(tokens) for _ in range(20)), return_exceptions=True)
    assert Counter(type(answer) for answer in answers) == {TokenReused: 20}


async def test_an_answer_is_kept_sealed_and_opens_with_the_spent_token_alone(desk: SessionsDesk) -> None:
    first = await desk.sign_in()
    second = await desk.refresh(first)
    [answer] = await desk.rows("SELECT answer FROM refresh_tokens WHERE answer IS NOT NULL")
    assert second.refresh_token.encode() not in answer
    assert AnswerSeal("secret").open(SecretStr(first.refresh_token), answer) == second
    assert AnswerSeal("secret").open(SecretStr(second.refresh_token), answer) is None
    assert AnswerSeal("another").open(SecretStr(first.refresh_token), answer) is None


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "\ud800"])
async def test_a_token_that_was_never_issued_is_refused(desk: SessionsDesk, token: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        await desk.sessions.refresh(SecretStr(token))


async def test_an_unused_session_ends(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    desk.clock.now += LIFETIMES.refresh - SECOND
    tokens = await desk.refresh(tokens)
    desk.clock.now += LIFETIMES.refresh
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(tokens)


async def test_a_busy_session_ends_too(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    for _ in range(3):
        desk.clock.now += LIFETIMES.session / 3 - SECOND
        tokens = await desk.refresh(tokens)
    desk.clock.now += 3 * SECOND
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(tokens)


async def test_no_access_token_outlives_its_session(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    for _ in range(3):
        desk.clock.now += LIFETIMES.session / 3 - SECOND
        tokens = await desk.refresh(tokens)
    assert tokens.expires_in == 3


async def test_a_refresh_token_is_stored_as_its_hash_only(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    [stored] = await desk.rows("SELECT hash FROM refresh_tokens")
    assert len(stored) == 32
    assert tokens.refresh_token.encode() not in stored


async def test_a_session_is_refreshed_with_no_other_roles_than_it_began_with(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    await desk.accounts.create_user(EMAIL, NEW_PASSWORD, None, [Role.STAFF])
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(tokens)
    tokens = await desk.sessions.login(EMAIL, NEW_PASSWORD)
    assert (await desk.claims(await desk.refresh(tokens)))["roles"] == ["customer", "staff"]
