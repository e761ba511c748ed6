"""Signing keys on a real PostgreSQL: one takes over from another, and is retired when nobody needs it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws
from pydantic import SecretStr

from contracts.auth import ENDED_SESSIONS_KEPT_SECONDS
from runtime.settings import MissingSetting, Settings
from services.auth.errors import KeyInUse, KeyUnknown, RotationUnderWay, SigningKeyUnreadable
from services.auth.factory import open_auth
from services.auth.keys import MARGIN, KeyState, SigningKeys
from services.auth.refresh_answers import Tokens
from services.auth.signing import KeySeal
from services.auth.store import AuthStore
from tests.conftest import FreshDatabase
from tests.stores.auth_sessions_desk import LIFETIMES, SECOND, SessionsDesk, open_sessions_desk

PUBLISHED = timedelta(minutes=6)
NEEDED = LIFETIMES.access + MARGIN


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[SessionsDesk]:
    async with open_sessions_desk(fresh_database) as opened:
        yield opened


def kid_of(tokens: Tokens) -> Any:
    return jws.extract_compact(tokens.access_token.encode()).headers()["kid"]


async def published(desk: SessionsDesk) -> set[str]:
    return {key.kid for key in await desk.keys.published()}


async def states(desk: SessionsDesk) -> dict[str, KeyState]:
    return {key.kid: key.state for key in await desk.keys.keys()}


async def first_key(desk: SessionsDesk) -> str:
    [first] = await published(desk)
    return first


async def rotated(desk: SessionsDesk) -> tuple[str, str]:
    """The key that signed, and the one that does so now."""
    first = await first_key(desk)
    following = await desk.keys.rotate(PUBLISHED)
    desk.clock.now += PUBLISHED
    return first, following.kid


async def test_instances_that_start_together_share_one_signing_key(fresh_database: FreshDatabase) -> None:
    settings = Settings(
        auth_database_url=SecretStr(await fresh_database("auth")), auth_key_secret=SecretStr("secret")
    )
    async with open_auth(settings) as one, open_auth(settings) as other:
        asked = await asyncio.gather(*(auth.keys.published() for auth in (one, other) for _ in range(5)))
        assert len({key.kid for keys in asked for key in keys}) == 1


async def test_a_new_key_is_published_before_it_signs(desk: SessionsDesk) -> None:
    first = await first_key(desk)
    following = await desk.keys.rotate(PUBLISHED)
    assert await published(desk) == {first, following.kid}
    assert kid_of(await desk.sign_in()) == first
    desk.clock.now += PUBLISHED - SECOND
    assert kid_of(await desk.sign_in()) == first
    desk.clock.now += SECOND
    assert kid_of(await desk.sign_in()) == following.kid


async def test_the_key_before_still_verifies(desk: SessionsDesk) -> None:
    before = await desk.sign_in()
    first, second = await rotated(desk)
    after = await desk.sign_in()
    assert (await desk.claims(before))["sub"] == (await desk.claims(after))["sub"]
    assert await states(desk) == {first: KeyState.VERIFIES, second: KeyState.SIGNS}


async def test_while_a_key_waits_no_other_is_made(desk: SessionsDesk) -> None:
    answers = await asyncio.gather(*(desk.keys.rotate(PUBLISHED) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, RotationUnderWay) for answer in answers) == 4
    assert len(await published(desk)) == 2


async def test_a_key_is_not_retired_while_its_tokens_may_live(desk: SessionsDesk) -> None:
    first, _ = await rotated(desk)
    desk.clock.now += NEEDED - SECOND
    with pytest.raises(KeyInUse):
        await desk.keys.retire(first)
    desk.clock.now += SECOND
    for _ in range(2):
        assert (await desk.keys.retire(first)).state is KeyState.RETIRED
    assert first not in await published(desk)


@pytest.mark.parametrize("which", [KeyState.SIGNS, KeyState.NEXT])
async def test_a_key_that_signs_or_will_is_not_retired(desk: SessionsDesk, which: KeyState) -> None:
    await desk.keys.rotate(PUBLISHED)
    [kid] = [kid for kid, state in (await states(desk)).items() if state is which]
    with pytest.raises(KeyInUse):
        await desk.keys.retire(kid)


async def test_a_key_that_there_never_was_is_not_retired(desk: SessionsDesk) -> None:
    with pytest.raises(KeyUnknown):
        await desk.keys.retire("no-such-key", compromised=True)


async def test_a_compromised_key_is_gone_at_once_and_a_new_one_signs(desk: SessionsDesk) -> None:
    first = await first_key(desk)
    await desk.keys.retire(first, compromised=True)
    signs = kid_of(await desk.sign_in())
    assert signs != first
    assert await published(desk) == {signs}


async def test_when_the_key_that_signs_is_compromised_the_one_that_waits_signs(desk: SessionsDesk) -> None:
    first = await first_key(desk)
    following = await desk.keys.rotate(PUBLISHED)
    await desk.keys.retire(first, compromised=True)
    assert kid_of(await desk.sign_in()) == following.kid


async def test_when_the_newest_key_is_compromised_the_one_that_all_know_signs_again(
    desk: SessionsDesk,
) -> None:
    first, second = await rotated(desk)
    await desk.keys.retire(second, compromised=True)
    assert kid_of(await desk.sign_in()) == first
    assert (await states(desk))[first] is KeyState.SIGNS


async def test_of_a_retired_key_the_private_part_is_gone(desk: SessionsDesk) -> None:
    await desk.keys.retire(await first_key(desk), compromised=True)
    kept = await desk.rows("SELECT sealed_private_key FROM signing_keys WHERE retired_at IS NOT NULL")
    assert kept == [b""]


async def test_the_edge_hears_of_keys_that_were_retired_and_of_no_other(desk: SessionsDesk) -> None:
    first, second = await rotated(desk)
    following = await desk.keys.rotate(PUBLISHED)
    assert (await desk.sessions.ended(None)).retired_keys == frozenset()
    await desk.keys.retire(second, compromised=True)
    # Whatever it asks for: the clock of whoever retires a key may be another.
    assert (await desk.sessions.ended(desk.clock.now)).retired_keys == {second}
    assert await published(desk) == {first, following.kid}


async def test_the_edge_is_not_told_of_keys_that_were_retired_long_ago(desk: SessionsDesk) -> None:
    await desk.keys.retire(await first_key(desk), compromised=True)
    desk.clock.now += timedelta(seconds=ENDED_SESSIONS_KEPT_SECONDS)
    assert (await desk.sessions.ended(None)).retired_keys == frozenset()


async def test_with_another_secret_the_service_is_not_ready(desk: SessionsDesk) -> None:
    await desk.keys.ready()
    store = AuthStore(desk.database)
    with pytest.raises(SigningKeyUnreadable):
        await SigningKeys(store, KeySeal("another"), access_lifetime=LIFETIMES.access).ready()


async def test_without_its_secret_the_service_does_not_open() -> None:
    with pytest.raises(MissingSetting, match="MICROMART_AUTH_KEY_SECRET"):
        async with open_auth(Settings(auth_database_url=SecretStr("postgresql://nowhere"))):
            pass
