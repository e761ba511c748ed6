"""Passwords that their owners change, and who comes in between, on a real PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr

from contracts.auth import PASSWORD_CHANGED
from contracts.identity import Identity
from services.auth.accounts import Accounts
from services.auth.errors import SessionEnded, WrongPassword
from services.auth.passwords import Passwords
from services.auth.store import AuthStore, User
from tests.conftest import FreshDatabase
from tests.stores.auth_desk import EMAIL, NEW_PASSWORD, PASSWORD, WRONG, CountingHasher, Desk, open_desk


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    async with open_desk(fresh_database) as opened:
        yield opened


@pytest.fixture
async def ada(desk: Desk) -> User:
    return await desk.accounts.register(EMAIL, PASSWORD, "Ada")


async def test_a_changed_password_ends_the_other_sessions_and_is_told(desk: Desk, ada: User) -> None:
    caller = await desk.session_of(ada, "mine")
    await desk.session_of(ada, "other")
    await desk.accounts.change_password(caller, PASSWORD, NEW_PASSWORD)
    assert await desk.ended() == {"mine": None, "other": "password_changed"}
    await desk.accounts.authenticate(EMAIL, NEW_PASSWORD)
    assert (await desk.told())[2:] == [(PASSWORD_CHANGED, 3)]


class Interrupted(Passwords):
    """Lets something happen to the account while a new password is hashed."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(CountingHasher())
        self._meanwhile = meanwhile

    async def hash(self, password: SecretStr) -> str:
        await self._meanwhile()
        return await super().hash(password)


async def test_who_knows_the_old_password_does_not_override_a_reset(desk: Desk, ada: User) -> None:
    """A thief changes the password that its owner resets in the same moment."""
    thief, token = await desk.session_of(ada, "thief"), await desk.reset_token()
    with Interrupted(lambda: desk.links.reset(token, NEW_PASSWORD)) as passwords:
        accounts = Accounts(AuthStore(desk.database), passwords, desk.clock)
        with pytest.raises(SessionEnded):
            await accounts.change_password(thief, PASSWORD, SecretStr("stolen for good"))
    await desk.accounts.authenticate(EMAIL, NEW_PASSWORD)


async def test_a_change_is_refused_when_the_password_has_become_another(desk: Desk, ada: User) -> None:
    mine = await desk.session_of(ada, "mine")
    with Interrupted(lambda: desk.accounts.change_password(mine, PASSWORD, NEW_PASSWORD)) as passwords:
        accounts = Accounts(AuthStore(desk.database), passwords, desk.clock)
        with pytest.raises(WrongPassword):
            await accounts.change_password(mine, PASSWORD, SecretStr("stolen for good"))
    await desk.accounts.authenticate(EMAIL, NEW_PASSWORD)


async def test_a_change_is_refused_when_its_session_has_ended(desk: Desk, ada: User) -> None:
    mine = await desk.session_of(ada, "mine")
    with Interrupted(lambda: desk.accounts.sign_out(EMAIL)) as passwords:
        accounts = Accounts(AuthStore(desk.database), passwords, desk.clock)
        with pytest.raises(SessionEnded):
            await accounts.change_password(mine, PASSWORD, NEW_PASSWORD)
    await desk.accounts.authenticate(EMAIL, PASSWORD)


async def test_nobody_changes_a_password_without_a_session(desk: Desk, ada: User) -> None:
    with pytest.raises(SessionEnded):
        await desk.accounts.change_password(Identity(subject=ada.id), PASSWORD, NEW_PASSWORD)


async def test_a_wrong_password_changes_nothing(desk: Desk, ada: User) -> None:
    with pytest.raises(WrongPassword):
        await desk.accounts.change_password(Identity(subject=ada.id), WRONG, NEW_PASSWORD)
    await desk.accounts.authenticate(EMAIL, PASSWORD)
