"""Sign-ins that have verified a password, and are slower than what happens to the account meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr

from contracts.identity import Role
from services.auth.errors import BadCredentials
from services.auth.store import Credentials
from tests.conftest import FreshDatabase
from tests.stores.auth_sessions_desk import EMAIL, PASSWORD, SessionsDesk, open_sessions_desk

Delay = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[SessionsDesk]:
    async with open_sessions_desk(fresh_database) as opened:
        yield opened


@pytest.fixture
def delay_by(desk: SessionsDesk, monkeypatch: pytest.MonkeyPatch) -> Delay:
    """Let something happen between the password's verification and what comes after it."""
    verify = desk.accounts.credentials

    def delay(meanwhile: Callable[[], Awaitable[object]]) -> None:
        async def verify_and_pause(
            email: str, password: SecretStr, address: str | None = None
        ) -> Credentials:
            known = await verify(email, password, address)
            await meanwhile()
            return known

        monkeypatch.setattr(desk.accounts, "credentials", verify_and_pause)

    return delay


async def test_no_session_opens_behind_a_change_of_the_password(desk: SessionsDesk, delay_by: Delay) -> None:
    """Which ends all sessions, but for the one that asks."""
    caller = await desk.caller(await desk.sign_in())
    delay_by(lambda: desk.accounts.change_password(caller, PASSWORD, SecretStr("battery staple")))
    with pytest.raises(BadCredentials):
        await desk.sign_in()
    assert await desk.reasons() == [None]


async def test_no_session_opens_behind_a_change_of_roles(desk: SessionsDesk, delay_by: Delay) -> None:
    """Else it would hold the roles of before."""
    await desk.accounts.create_user(EMAIL, PASSWORD, None, [Role.ADMIN])
    delay_by(lambda: desk.accounts.demote(EMAIL, [Role.ADMIN]))
    with pytest.raises(BadCredentials):
        await desk.sign_in()
    assert await desk.reasons() == []
