"""Sessions on a real PostgreSQL: opened, told, ended, dropped."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS
from contracts.identity import Identity, Role
from services.auth.errors import InvalidRefreshToken, SessionUnknown
from services.auth.keys import MARGIN
from services.auth.refresh_answers import Tokens
from tests.conftest import FreshDatabase
from tests.stores.auth_sessions_desk import (
    LIFETIMES,
    PASSWORD,
    PHONE,
    SECOND,
    START,
    SessionsDesk,
    open_sessions_desk,
)
from tests.stores.auth_worker import execute


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[SessionsDesk]:
    async with open_sessions_desk(fresh_database) as opened:
        yield opened


async def test_an_access_token_names_the_user_the_roles_and_the_session(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    claims = await desk.claims(tokens)
    [user] = await desk.accounts.users(1)
    assert [claims["sid"]] == await desk.rows("SELECT id FROM refresh_families")
    assert (claims["sub"], claims["roles"]) == (user.id, ["customer"])
    assert claims["exp"] - claims["iat"] == tokens.expires_in == 900


async def test_tokens_do_not_show_when_printed(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    assert tokens.refresh_token not in repr(tokens)
    assert tokens.access_token not in repr(tokens)


async def test_a_logout_ends_the_callers_session(desk: SessionsDesk) -> None:
    mine, other = [await desk.sign_in() for _ in range(2)]
    caller = await desk.caller(mine)
    for _ in range(2):
        await desk.sessions.logout(caller)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(mine)
    await desk.refresh(other)
    assert sorted(await desk.reasons(), key=str) == [None, "logged_out"]


async def test_nobody_logs_another_out(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    sid = (await desk.claims(tokens))["sid"]
    await desk.sessions.logout(Identity(subject="somebody-else", session=sid))
    await desk.refresh(tokens)


async def test_my_sessions_are_told_with_where_they_were_opened(desk: SessionsDesk) -> None:
    old = await desk.sign_in(PHONE)
    desk.clock.now += SECOND
    new = await desk.caller(await desk.sign_in())
    await desk.refresh(old)
    newest, oldest = await desk.sessions.open_of(new, 10)
    assert (newest.id, newest.address) == (new.session, None)
    assert (oldest.address, oldest.user_agent) == (PHONE.address, PHONE.user_agent)
    assert (oldest.created_at, oldest.last_used_at) == (START, START + SECOND)


async def test_sessions_are_told_in_pages(desk: SessionsDesk) -> None:
    caller = await desk.caller(await desk.sign_in())
    for _ in range(4):
        await desk.sign_in()
    first = await desk.sessions.open_of(caller, 3)
    rest = await desk.sessions.open_of(caller, 3, (first[-1].created_at, first[-1].id))
    assert len({session.id for session in first + rest}) == 5


async def test_a_session_that_has_ended_is_not_told(desk: SessionsDesk) -> None:
    caller = await desk.caller(await desk.sign_in())
    await desk.sessions.logout(caller)
    assert await desk.sessions.open_of(caller, 10) == []


async def test_i_end_one_of_my_sessions(desk: SessionsDesk) -> None:
    lost, mine = [await desk.sign_in() for _ in range(2)]
    lost_session, caller = (await desk.caller(lost)).session, await desk.caller(mine)
    assert lost_session is not None
    for _ in range(2):
        await desk.sessions.end(caller, lost_session)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(lost)
    await desk.refresh(mine)


async def test_nobody_ends_anothers_session(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    session = (await desk.caller(tokens)).session
    assert session is not None
    for theirs in (session, "no-such-session"):
        with pytest.raises(SessionUnknown):
            await desk.sessions.end(Identity(subject="somebody-else"), theirs)
    await desk.refresh(tokens)


async def test_a_logout_everywhere_ends_all_of_mine_and_nobody_elses(desk: SessionsDesk) -> None:
    await desk.accounts.register("eve@example.com", PASSWORD)
    hers = await desk.sessions.login("eve@example.com", PASSWORD)
    mine = [await desk.sign_in() for _ in range(3)]
    await desk.sessions.logout_everywhere(await desk.caller(mine[0]))
    for tokens in mine:
        with pytest.raises(InvalidRefreshToken):
            await desk.refresh(tokens)
    await desk.refresh(hers)


async def test_all_but_the_one_that_asks_can_be_ended(desk: SessionsDesk) -> None:
    others, mine = await desk.sign_in(), await desk.sign_in()
    caller = await desk.caller(mine)
    await desk.accounts.change_password(caller, PASSWORD, SecretStr("battery staple"))
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(others)
    await desk.refresh(mine)


async def test_the_edge_hears_of_the_sessions_that_ended_since(desk: SessionsDesk) -> None:
    before, after = [await desk.caller(await desk.sign_in()) for _ in range(2)]
    await desk.sessions.logout(before)
    desk.clock.now += SECOND
    heard = await desk.sessions.ended(None)
    assert ([item.session for item in heard.items], heard.now) == ([before.session], desk.clock.now)
    desk.clock.now += SECOND
    await desk.sessions.logout(after)
    assert [item.session for item in (await desk.sessions.ended(heard.now)).items] == [after.session]


async def test_the_edge_is_told_for_as_long_as_an_access_token_can_live(desk: SessionsDesk) -> None:
    tokens = await desk.sign_in()
    desk.clock.now += timedelta(minutes=10)
    tokens = await desk.refresh(tokens)
    await desk.sessions.logout(await desk.caller(tokens))
    desk.clock.now += LIFETIMES.access
    assert len((await desk.sessions.ended(None)).items) == 1
    desk.clock.now += MARGIN
    assert (await desk.sessions.ended(None)).items == ()


async def test_the_edge_is_not_told_of_a_session_whose_tokens_had_all_expired_before_it_ended(
    desk: SessionsDesk,
) -> None:
    caller = await desk.caller(await desk.sign_in())
    desk.clock.now += LIFETIMES.access + MARGIN
    await desk.sessions.logout(caller)
    assert (await desk.sessions.ended(None)).items == ()


async def test_of_the_staffs_sessions_the_edge_is_told_for_as_long_as_their_cookies_live(
    desk: SessionsDesk,
) -> None:
    await desk.accounts.create_user("staff@example.com", PASSWORD, None, [Role.STAFF])
    tokens = await desk.sessions.login("staff@example.com", PASSWORD)
    await desk.sessions.logout(await desk.caller(tokens))
    await desk.accounts.demote("staff@example.com", [Role.STAFF])
    desk.clock.now += timedelta(seconds=ENDED_SESSIONS_KEPT_SECONDS) - SECOND
    assert len((await desk.sessions.ended(None)).items) == 1
    desk.clock.now += SECOND
    assert (await desk.sessions.ended(START - timedelta(days=1))).items == ()


async def test_of_sessions_that_an_older_version_opened_the_edge_is_told_as_long(desk: SessionsDesk) -> None:
    await desk.sessions.logout(await desk.caller(await desk.sign_in()))
    await execute(desk.database, "UPDATE refresh_families SET of_staff = NULL")
    desk.clock.now += timedelta(seconds=ENDED_SESSIONS_KEPT_SECONDS) - SECOND
    assert len((await desk.sessions.ended(None)).items) == 1


async def test_many_that_end_at_one_instant_are_told_in_pages_each_once(desk: SessionsDesk) -> None:
    callers = [await desk.caller(await desk.sign_in()) for _ in range(5)]
    await desk.sessions.logout_everywhere(callers[0])
    told, position = [], None
    while items := (await desk.sessions.ended(None, 2, position)).items:
        assert len(items) <= 2
        told += [item.session for item in items]
        position = items[-1].ended_at, items[-1].session
    assert told == sorted(str(caller.session) for caller in callers)


async def test_one_session_too_many_ends_the_one_unused_for_longest(fresh_database: FreshDatabase) -> None:
    async with open_sessions_desk(fresh_database, per_account=3) as desk:
        kept, oldest, *others = [await signed_in_later(desk) for _ in range(3)]
        await desk.refresh(kept)
        newest = await signed_in_later(desk)
        with pytest.raises(InvalidRefreshToken):
            await desk.refresh(oldest)
        for tokens in (*others, newest):
            await desk.refresh(tokens)
        assert sorted(await desk.reasons(), key=str) == [None, None, None, "too_many"]
        told = (await desk.sessions.ended(None)).items
        assert [item.session for item in told] == [(await desk.caller(oldest)).session]


async def test_of_sign_ins_at_once_no_more_stay_than_may(fresh_database: FreshDatabase) -> None:
    async with open_sessions_desk(fresh_database, per_account=3) as desk:
        await desk.sign_in()
        [user] = await desk.accounts.users(1)
        await asyncio.gather(*(desk.sessions.open(user) for _ in range(10)))
        assert (await desk.reasons()).count(None) == 3


async def test_another_account_loses_nothing_to_one_that_has_too_many(fresh_database: FreshDatabase) -> None:
    async with open_sessions_desk(fresh_database, per_account=1) as desk:
        await desk.accounts.register("eve@example.com", PASSWORD)
        hers = await desk.sessions.login("eve@example.com", PASSWORD)
        for _ in range(2):
            await desk.sign_in()
        await desk.refresh(hers)


async def signed_in_later(desk: SessionsDesk) -> Tokens:
    desk.clock.now += SECOND
    return await desk.sign_in()
