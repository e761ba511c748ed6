"""Sessions on a real PostgreSQL: opened, told, ended, dropped."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS
from contracts.identity import Identity
from services.auth.errors import BadCredentials, InvalidRefreshToken, SessionUnknown
from services.auth.pruning import SESSIONS_KEPT, Pruned
from services.auth.store import Credentials
from services.auth.tables import Revocation
from tests.conftest import FreshDatabase
from tests.stores.auth_sessions_desk import (
    EMAIL,
    LIFETIMES,
    PASSWORD,
    PHONE,
    SECOND,
    START,
    SessionsDesk,
    sessions_desk,
)


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[SessionsDesk]:
    async with sessions_desk(await fresh_database("auth")) as desk:
        yield desk


async def test_an_access_token_names_the_user_the_roles_and_the_session(desk: SessionsDesk) -> None:
    tokens = await desk.sessions.login(EMAIL, PASSWORD)
    claims = await desk.claims(tokens)
    [user] = await desk.accounts.users(1)
    assert [claims["sid"]] == await desk.rows("SELECT id FROM refresh_families")
    assert (claims["sub"], claims["roles"]) == (user.id, ["customer"])
    assert claims["exp"] - claims["iat"] == tokens.expires_in == 900


async def test_tokens_do_not_show_when_printed(desk: SessionsDesk) -> None:
    tokens = await desk.sessions.login(EMAIL, PASSWORD)
    assert tokens.refresh_token not in repr(tokens)
    assert tokens.access_token not in repr(tokens)


async def test_a_logout_ends_the_callers_session(desk: SessionsDesk) -> None:
    mine, other = [await desk.sessions.login(EMAIL, PASSWORD) for _ in range(2)]
    caller = await desk.caller(mine)
    for _ in range(2):
        await desk.sessions.logout(caller)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(mine)
    await desk.refresh(other)
    assert sorted(await desk.reasons(), key=str) == [None, "logged_out"]


async def test_nobody_logs_another_out(desk: SessionsDesk) -> None:
    tokens = await desk.sessions.login(EMAIL, PASSWORD)
    sid = (await desk.claims(tokens))["sid"]
    await desk.sessions.logout(Identity(subject="somebody-else", session=sid))
    await desk.refresh(tokens)


async def test_my_sessions_are_told_with_where_they_were_opened(desk: SessionsDesk) -> None:
    old = await desk.sessions.login(EMAIL, PASSWORD, PHONE)
    desk.clock.now += SECOND
    new = await desk.caller(await desk.sessions.login(EMAIL, PASSWORD))
    await desk.refresh(old)
    newest, oldest = await desk.sessions.open_of(new, 10)
    assert (newest.id, newest.address) == (new.session, None)
    assert (oldest.address, oldest.user_agent) == (PHONE.address, PHONE.user_agent)
    assert (oldest.created_at, oldest.last_used_at) == (START, START + SECOND)


async def test_sessions_are_told_in_pages(desk: SessionsDesk) -> None:
    caller = await desk.caller(await desk.sessions.login(EMAIL, PASSWORD))
    for _ in range(4):
        await desk.sessions.login(EMAIL, PASSWORD)
    first = await desk.sessions.open_of(caller, 3)
    rest = await desk.sessions.open_of(caller, 3, (first[-1].created_at, first[-1].id))
    assert len({session.id for session in first + rest}) == 5


async def test_a_session_that_has_ended_is_not_told(desk: SessionsDesk) -> None:
    caller = await desk.caller(await desk.sessions.login(EMAIL, PASSWORD))
    await desk.sessions.logout(caller)
    assert await desk.sessions.open_of(caller, 10) == []


async def test_i_end_one_of_my_sessions(desk: SessionsDesk) -> None:
    lost, mine = [await desk.sessions.login(EMAIL, PASSWORD) for _ in range(2)]
    lost_session, caller = (await desk.caller(lost)).session, await desk.caller(mine)
    assert lost_session is not None
    for _ in range(2):
        await desk.sessions.end(caller, lost_session)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(lost)
    await desk.refresh(mine)


async def test_nobody_ends_anothers_session(desk: SessionsDesk) -> None:
    tokens = await desk.sessions.login(EMAIL, PASSWORD)
    session = (await desk.caller(tokens)).session
    assert session is not None
    for theirs in (session, "no-such-session"):
        with pytest.raises(SessionUnknown):
            await desk.sessions.end(Identity(subject="somebody-else"), theirs)
    await desk.refresh(tokens)


async def test_a_logout_everywhere_ends_all_of_mine_and_nobody_elses(desk: SessionsDesk) -> None:
    await desk.accounts.register("eve@example.com", PASSWORD)
    hers = await desk.sessions.login("eve@example.com", PASSWORD)
    mine = [await desk.sessions.login(EMAIL, PASSWORD) for _ in range(3)]
    await desk.sessions.logout_everywhere(await desk.caller(mine[0]))
    for tokens in mine:
        with pytest.raises(InvalidRefreshToken):
            await desk.refresh(tokens)
    await desk.refresh(hers)


async def test_all_but_the_one_that_asks_can_be_ended(desk: SessionsDesk) -> None:
    others, mine = await desk.sessions.login(EMAIL, PASSWORD), await desk.sessions.login(EMAIL, PASSWORD)
    caller = await desk.caller(mine)
    await desk.sessions.end_all(caller.subject, Revocation.PASSWORD_CHANGED, except_session=caller.session)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(others)
    await desk.refresh(mine)


async def test_the_edge_hears_of_the_sessions_that_ended_since(desk: SessionsDesk) -> None:
    before, after = [await desk.caller(await desk.sessions.login(EMAIL, PASSWORD)) for _ in range(2)]
    await desk.sessions.logout(before)
    desk.clock.now += SECOND
    heard = await desk.sessions.ended(None)
    assert ([item.session for item in heard.items], heard.now) == ([before.session], desk.clock.now)
    desk.clock.now += SECOND
    await desk.sessions.logout(after)
    assert [item.session for item in (await desk.sessions.ended(heard.now)).items] == [after.session]


async def test_the_edge_is_not_told_of_what_ended_long_ago(desk: SessionsDesk) -> None:
    await desk.sessions.logout(await desk.caller(await desk.sessions.login(EMAIL, PASSWORD)))
    desk.clock.now += timedelta(seconds=ENDED_SESSIONS_KEPT_SECONDS)
    assert (await desk.sessions.ended(START - timedelta(days=1))).items == ()


async def test_what_is_over_is_dropped_and_what_lives_stays(desk: SessionsDesk) -> None:
    unused = await desk.sessions.login(EMAIL, PASSWORD)
    desk.clock.now += LIFETIMES.refresh
    lives = await desk.sessions.login(EMAIL, PASSWORD)
    await desk.sessions.logout(await desk.caller(await desk.sessions.login(EMAIL, PASSWORD)))
    assert await desk.pruning.prune() == Pruned(sessions=0, tokens=0)
    desk.clock.now += SESSIONS_KEPT + SECOND
    assert await desk.pruning.prune() == Pruned(sessions=2, tokens=0)
    with pytest.raises(InvalidRefreshToken):
        await desk.refresh(unused)
    await desk.refresh(lives)


async def test_no_session_opens_behind_a_change_of_the_password(
    desk: SessionsDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in that has verified the old password, and is slower than the change that ends all sessions."""
    verify = desk.accounts.credentials
    [user] = await desk.accounts.users(1)

    async def verify_and_pause(email: str, password: SecretStr, address: str | None = None) -> Credentials:
        known = await verify(email, password, address)
        await desk.accounts.change_password(Identity(subject=user.id), PASSWORD, SecretStr("battery staple"))
        return known

    monkeypatch.setattr(desk.accounts, "credentials", verify_and_pause)
    with pytest.raises(BadCredentials):
        await desk.sessions.login(EMAIL, PASSWORD)
    assert await desk.reasons() == []
