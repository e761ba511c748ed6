"""Passwords that are changed or set anew, and addresses that are verified, on a real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from contracts.auth import (
    EMAIL_VERIFICATION_REQUESTED,
    EMAIL_VERIFIED,
    PASSWORD_CHANGED,
    PASSWORD_RESET_REQUESTED,
    USER_REGISTERED,
)
from contracts.identity import Identity, Role
from services.auth.account_changes import MAILED_EVERY, LinkLifetimes
from services.auth.errors import (
    BadCredentials,
    CommonPassword,
    LinkClosed,
    LinkInvalid,
)
from services.auth.store import User
from tests.conftest import FreshDatabase
from tests.stores.auth_desk import (
    EMAIL,
    NEW_PASSWORD,
    PASSWORD,
    WRONG,
    Desk,
    open_desk,
    statements,
)

LIFETIMES = LinkLifetimes()


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    async with open_desk(fresh_database) as opened:
        yield opened


@pytest.fixture
async def ada(desk: Desk) -> User:
    return await desk.accounts.register(EMAIL, PASSWORD, "Ada")


async def is_verified(desk: Desk, user: User) -> bool:
    return (await desk.accounts.user(user.id)).email_verified_at is not None


async def test_a_registration_asks_the_address(desk: Desk, ada: User) -> None:
    assert await desk.told() == [(USER_REGISTERED, 1), (EMAIL_VERIFICATION_REQUESTED, 2)]
    assert not await is_verified(desk, ada)


async def test_an_operator_answers_for_the_address_of_a_user(desk: Desk) -> None:
    user, _ = await desk.accounts.create_user(EMAIL, PASSWORD, None, [Role.STAFF])
    assert await is_verified(desk, user)
    assert await desk.told() == [(USER_REGISTERED, 1)]


async def test_a_link_verifies_its_address_once(desk: Desk, ada: User) -> None:
    token = await desk.verification_token()
    await desk.links.verify(token)
    assert await is_verified(desk, ada)
    with pytest.raises(LinkInvalid):
        await desk.links.verify(token)
    assert (await desk.told())[2:] == [(EMAIL_VERIFIED, 3)]


async def test_a_link_that_verifies_opens_until_it_expires(desk: Desk, ada: User) -> None:
    token = await desk.verification_token()
    desk.clock.move(LIFETIMES.verification)
    with pytest.raises(LinkInvalid):
        await desk.links.verify(token)
    assert not await is_verified(desk, ada)


async def test_another_link_is_mailed_every_few_minutes_at_most(desk: Desk, ada: User) -> None:
    caller = Identity(subject=ada.id)
    desk.clock.move(MAILED_EVERY)
    await asyncio.gather(*(desk.links.send_verification(caller) for _ in range(5)))
    assert len(await desk.mailed(EMAIL_VERIFICATION_REQUESTED)) == 2


async def test_a_verified_address_is_not_asked_again(desk: Desk, ada: User) -> None:
    await desk.links.verify(await desk.verification_token())
    desk.clock.move(MAILED_EVERY)
    await desk.links.send_verification(Identity(subject=ada.id))
    assert len(await desk.mailed(EMAIL_VERIFICATION_REQUESTED)) == 1


async def test_a_forgotten_password_is_set_anew(desk: Desk, ada: User) -> None:
    await desk.links.reset(await desk.reset_token(), NEW_PASSWORD)
    assert (await desk.accounts.authenticate(EMAIL, NEW_PASSWORD)).id == ada.id
    with pytest.raises(BadCredentials):
        await desk.accounts.authenticate(EMAIL, PASSWORD)


async def test_a_reset_ends_every_session_and_verifies_the_address(desk: Desk, ada: User) -> None:
    for session in ("s-1", "s-2"):
        await desk.session_of(ada, session)
    await desk.links.reset(await desk.reset_token(), NEW_PASSWORD)
    assert set((await desk.ended()).values()) == {"password_reset"}
    assert await is_verified(desk, ada)
    assert (await desk.told())[2:] == [
        (PASSWORD_RESET_REQUESTED, 3),
        (PASSWORD_CHANGED, 4),
        (EMAIL_VERIFIED, 5),
    ]


async def test_a_reset_opens_a_locked_account(desk: Desk, ada: User) -> None:
    for _ in range(10):
        with pytest.raises(BadCredentials):
            await desk.accounts.authenticate(EMAIL, WRONG)
    await desk.links.reset(await desk.reset_token(), NEW_PASSWORD)
    await desk.accounts.authenticate(EMAIL, NEW_PASSWORD)


async def test_of_resets_that_race_by_one_link_one_wins(desk: Desk, ada: User) -> None:
    token = await desk.reset_token()
    answers = await asyncio.gather(
        *(desk.links.reset(token, NEW_PASSWORD) for _ in range(8)), return_exceptions=True
    )
    assert Counter(type(answer) for answer in answers) == {type(None): 1, LinkInvalid: 7}
    assert [told for told, _ in await desk.told()].count(PASSWORD_CHANGED) == 1


async def test_a_link_that_resets_opens_until_it_expires(desk: Desk, ada: User) -> None:
    token = await desk.reset_token()
    desk.clock.move(LIFETIMES.reset)
    with pytest.raises(LinkInvalid):
        await desk.links.reset(token, NEW_PASSWORD)


async def test_a_link_that_verifies_resets_nothing(desk: Desk, ada: User) -> None:
    with pytest.raises(LinkInvalid):
        await desk.links.reset(await desk.verification_token(), NEW_PASSWORD)


async def test_a_refused_password_leaves_the_link_open(desk: Desk, ada: User) -> None:
    token = await desk.reset_token()
    with pytest.raises(CommonPassword):
        await desk.links.reset(token, SecretStr("password1"))
    await desk.links.reset(token, NEW_PASSWORD)


async def test_a_made_up_token_costs_no_hashing(desk: Desk, ada: User) -> None:
    before = desk.hasher.hashed
    with pytest.raises(LinkInvalid):
        await desk.links.reset(SecretStr("m-1.made-up"), NEW_PASSWORD)
    assert desk.hasher.hashed == before


async def test_another_password_closes_links_that_were_mailed_before(desk: Desk, ada: User) -> None:
    token = await desk.reset_token()
    await desk.accounts.change_password(await desk.session_of(ada, "mine"), PASSWORD, NEW_PASSWORD)
    with pytest.raises(LinkInvalid):
        await desk.links.reset(token, PASSWORD)


async def test_forgetting_is_noted_alike_for_a_known_and_an_unknown_address(desk: Desk, ada: User) -> None:
    costs = []
    for email in (EMAIL, "nobody@example.com"):
        with statements() as sent:
            await desk.requests.note(email)
        costs.append(sent)
    assert costs[0] == costs[1]
    assert await desk.requests.answer() == 2
    assert len(await desk.mailed(PASSWORD_RESET_REQUESTED)) == 1


async def test_what_is_no_address_is_forgotten_without_a_word(desk: Desk) -> None:
    await desk.requests.note("\ud800 nobody")
    assert await desk.requests.answer() == 0


async def test_a_forgotten_password_is_mailed_every_few_minutes_at_most(desk: Desk, ada: User) -> None:
    for _ in range(3):
        await desk.requests.note(EMAIL)
        await asyncio.gather(*(desk.requests.answer() for _ in range(3)))
    assert len(await desk.mailed(PASSWORD_RESET_REQUESTED)) == 1
    desk.clock.move(MAILED_EVERY)
    await desk.requests.note(EMAIL)
    await desk.requests.answer()
    assert len(await desk.mailed(PASSWORD_RESET_REQUESTED)) == 2


@pytest.mark.parametrize("common", ["password1", "ada@example.com", "micromart!"])
async def test_a_common_password_is_refused_wherever_one_is_set(desk: Desk, ada: User, common: str) -> None:
    guess = SecretStr(common)
    with pytest.raises(CommonPassword):
        await desk.accounts.change_password(Identity(subject=ada.id), PASSWORD, guess)
    with pytest.raises(CommonPassword):
        await desk.accounts.register("ada@example.org", SecretStr(common.replace(".com", ".org")))


async def test_events_of_an_account_are_counted_without_a_gap_when_they_race(desk: Desk, ada: User) -> None:
    tokens = [await desk.verification_token(), await desk.reset_token()]
    await asyncio.gather(
        desk.links.verify(tokens[0]),
        desk.links.reset(tokens[1], NEW_PASSWORD),
        return_exceptions=True,
    )
    assert [sequence for _, sequence in await desk.told()] == [1, 2, 3, 4, 5]


async def test_a_links_secret_is_told_while_it_opens(desk: Desk, ada: User) -> None:
    [mail_id] = await desk.mailed(EMAIL_VERIFICATION_REQUESTED)
    mailed = await desk.links.token_of(mail_id)
    assert mailed.email == EMAIL
    assert mailed.expires_at == desk.clock() + LIFETIMES.verification
    await desk.links.verify(mailed.token)
    with pytest.raises(LinkClosed):
        await desk.links.token_of(mail_id)


async def test_a_link_calls_nobody_by_a_name_at_an_address_that_is_not_verified(
    desk: Desk, ada: User
) -> None:
    [mail_id] = await desk.mailed(EMAIL_VERIFICATION_REQUESTED)
    asked = await desk.links.token_of(mail_id)
    await desk.links.verify(asked.token)
    await desk.reset_token()
    [mail_id] = await desk.mailed(PASSWORD_RESET_REQUESTED)
    assert (asked.name, (await desk.links.token_of(mail_id)).name) == (None, "Ada")


async def test_no_secret_of_a_link_is_stored_or_told(desk: Desk, ada: User) -> None:
    token = (await desk.reset_token()).get_secret_value()
    stored = str(await desk.rows("SELECT mailed_links::text FROM mailed_links"))
    told = str(await desk.rows("SELECT data::text FROM outbox"))
    assert token.partition(".")[2] not in stored + told


async def test_old_requests_and_links_are_dropped(desk: Desk, ada: User) -> None:
    await desk.reset_token()
    desk.clock.move(timedelta(days=60))
    assert await desk.requests.forget_old() == 3
    assert await desk.requests.forget_old() == 0
