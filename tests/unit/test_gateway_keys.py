import asyncio
import json

import aiohttp
import pytest

from api.gateway.errors import KeysUnavailable, TokenInvalid
from api.gateway.keys import COOLDOWN_AFTER_FAILURE_SECONDS, COOLDOWN_SECONDS, FRESH_SECONDS, KeySource
from tests.gateway_peers import Issuer

OLD, NEW = Issuer("old"), Issuer("new")


class Auth:
    """What auth publishes, how often it was asked, and whether it answers; with a clock to move."""

    def __init__(self, published: bytes) -> None:
        self.published = published
        self.asked = 0
        self.down = False
        self.time = 1_000.0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.keys = KeySource(self.fetch, now=lambda: self.time)

    async def fetch(self) -> bytes:
        self.asked += 1
        await self.may_answer.wait()
        if self.down:
            raise aiohttp.ClientConnectionError("refused")
        return self.published


def both() -> bytes:
    """What is published during a rotation."""
    return json.dumps({"keys": [key for of in (OLD, NEW) for key in json.loads(of.jwks())["keys"]]}).encode()


async def settled() -> None:
    """Let background tasks that are ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_known_key_is_fetched_once() -> None:
    auth = Auth(OLD.jwks())
    await auth.keys.key("old")
    await auth.keys.key("old")
    assert auth.asked == 1


async def test_many_who_wait_share_one_fetch() -> None:
    auth = Auth(OLD.jwks())
    auth.may_answer.clear()
    waiting = [asyncio.create_task(auth.keys.key("old")) for _ in range(20)]
    await settled()
    auth.may_answer.set()
    await asyncio.gather(*waiting)
    assert auth.asked == 1


async def test_one_who_leaves_does_not_end_the_fetch_for_the_others() -> None:
    auth = Auth(OLD.jwks())
    auth.may_answer.clear()
    leaves, stays = (asyncio.create_task(auth.keys.key("old")) for _ in range(2))
    await settled()
    leaves.cancel()
    auth.may_answer.set()
    assert (await stays).kid == (await auth.keys.key("old")).kid
    assert leaves.cancelled()


async def test_an_unknown_key_is_asked_for_and_found_after_a_rotation() -> None:
    auth = Auth(OLD.jwks())
    await auth.keys.key("old")
    auth.published = NEW.jwks()
    auth.time += COOLDOWN_SECONDS
    assert await auth.keys.key("new")
    with pytest.raises(TokenInvalid):
        await auth.keys.key("old")


async def test_invented_keys_do_not_make_us_ask_more_than_once_a_cooldown() -> None:
    auth = Auth(OLD.jwks())
    for kid in ("old", "a", "b", "c"):
        if kid == "old":
            await auth.keys.key(kid)
            continue
        with pytest.raises(TokenInvalid):
            await auth.keys.key(kid)
    assert auth.asked == 1


async def test_a_held_key_outlives_an_outage_of_auth() -> None:
    auth = Auth(OLD.jwks())
    await auth.keys.key("old")
    auth.down = True
    auth.time += FRESH_SECONDS + 1
    await auth.keys.key("old")
    await settled()
    assert await auth.keys.key("old")
    assert auth.asked == 2


async def test_keys_are_fetched_anew_when_they_are_old() -> None:
    auth = Auth(OLD.jwks())
    await auth.keys.key("old")
    auth.published = NEW.jwks()
    auth.time += FRESH_SECONDS + 1
    await auth.keys.key("old")
    await settled()
    assert await auth.keys.key("new")


async def test_without_any_key_a_token_can_be_neither_taken_nor_refused() -> None:
    auth = Auth(OLD.jwks())
    auth.down = True
    with pytest.raises(KeysUnavailable):
        await auth.keys.key("old")
    auth.down = False
    auth.time += COOLDOWN_AFTER_FAILURE_SECONDS
    assert await auth.keys.key("old")


async def test_a_retired_key_is_known_no_more_and_not_asked_for() -> None:
    auth = Auth(both())
    await auth.keys.key("old")
    auth.keys.retire(frozenset({"old"}))
    with pytest.raises(TokenInvalid):
        await auth.keys.key("old")
    assert (auth.keys.holds("old"), auth.keys.holds("new"), auth.asked) == (False, True, 1)


async def test_a_late_answer_does_not_bring_a_retired_key_back() -> None:
    auth = Auth(both())
    auth.may_answer.clear()
    waits = asyncio.create_task(auth.keys.key("new"))
    await settled()
    auth.keys.retire(frozenset({"old"}))
    auth.may_answer.set()
    await waits
    assert not auth.keys.holds("old")


async def test_the_successor_of_a_retired_key_is_asked_for_at_once() -> None:
    auth = Auth(OLD.jwks())
    await auth.keys.key("old")
    auth.published = NEW.jwks()
    auth.keys.retire(frozenset({"old"}))
    assert await auth.keys.key("new")


async def test_being_told_again_that_a_key_was_retired_does_not_make_us_ask_again() -> None:
    auth = Auth(NEW.jwks())
    await auth.keys.key("new")
    for kid in ("a", "b"):
        auth.keys.retire(frozenset({"old"}))
        with pytest.raises(TokenInvalid):
            await auth.keys.key(kid)
    assert auth.asked == 2


@pytest.mark.parametrize("published", [b"", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AA"}]}'])
async def test_what_holds_no_key_of_ours_is_no_answer(published: bytes) -> None:
    with pytest.raises(KeysUnavailable):
        await Auth(published).keys.ready()


async def test_keys_of_other_kinds_do_not_hide_ours() -> None:
    others = [{"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "P-384"}, None]
    ours = json.loads(OLD.jwks())["keys"]
    assert await Auth(json.dumps({"keys": others + ours}).encode()).keys.key("old")
