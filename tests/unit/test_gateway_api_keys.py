"""API keys at the edge: how long an answer is believed, and what a flood of keys can do."""

import asyncio
from dataclasses import dataclass, field

import pytest

from api.gateway.api_keys import (
    BAD_SECONDS,
    CHECK_SECONDS,
    CHECKS_AT_ONCE,
    GOOD_SECONDS,
    ApiKeyInvalid,
    ApiKeys,
    ApiKeysUnavailable,
)
from contracts.auth import ApiKeyCheck, ApiKeyGrant, Scope
from contracts.errors import Kind, Refusal, Refused, Unavailable
from contracts.identity import Role
from tests.polling import until

INVALID = Refusal(code="auth.api_key_invalid", kind=Kind.UNAUTHENTICATED, detail="")


def key_of(number: int) -> bytes:
    return f"mmk_{number:016x}_{'a' * 64}".encode()


KEY, OTHER = key_of(1), key_of(2)


@dataclass
class Auth:
    """Auth as the gateway sees it: knows some keys, counts the questions, and can be held up."""

    good: dict[bytes, frozenset[Scope]]
    now: float = 0.0
    asked: list[bytes] = field(default_factory=list)
    fails: Exception | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def check(self, check: ApiKeyCheck) -> ApiKeyGrant:
        key = check.key.get_secret_value().encode()
        self.asked.append(key)
        await self.open.wait()
        if self.fails is not None:
            raise self.fails
        if key not in self.good:
            raise Refused(INVALID)
        return ApiKeyGrant(key_id=key.decode().split("_")[1], scopes=self.good[key])


@pytest.fixture
def auth() -> Auth:
    known = Auth({KEY: frozenset({Scope.ORDERS_READ}), OTHER: frozenset()})
    known.open.set()
    return known


@pytest.fixture
def keys(auth: Auth) -> ApiKeys:
    return ApiKeys(auth.check, now=lambda: auth.now)


async def asked(auth: Auth, count: int) -> None:
    """Return when auth has been asked so often."""

    async def is_so() -> bool:
        return len(auth.asked) == count

    await until(is_so)


async def test_a_key_is_a_machine_of_the_staff_with_its_scopes(keys: ApiKeys) -> None:
    principal = await keys.caller(KEY)
    assert principal.identity.subject == "key:0000000000000001"
    assert principal.identity.roles == {Role.STAFF}
    assert principal.scopes == frozenset({Scope.ORDERS_READ})


async def test_a_good_answer_is_believed_for_seconds(auth: Auth, keys: ApiKeys) -> None:
    first = await keys.caller(KEY)
    auth.now = GOOD_SECONDS - 0.01
    assert await keys.caller(KEY) is first
    assert auth.asked == [KEY]


async def test_a_key_that_was_revoked_is_refused_seconds_later(auth: Auth, keys: ApiKeys) -> None:
    await keys.caller(KEY)
    del auth.good[KEY]
    auth.now = GOOD_SECONDS
    with pytest.raises(ApiKeyInvalid):
        await keys.caller(KEY)


def test_however_slowly_auth_answers_a_revoked_key_is_refused_within_five_seconds() -> None:
    assert GOOD_SECONDS + CHECK_SECONDS <= 5


async def test_other_scopes_make_another_principal(auth: Auth, keys: ApiKeys) -> None:
    first = await keys.caller(KEY)
    auth.now += GOOD_SECONDS
    assert await keys.caller(KEY) is first
    auth.good[KEY] = frozenset()
    auth.now += GOOD_SECONDS
    assert (await keys.caller(KEY)).scopes == frozenset()


async def test_a_bad_answer_is_believed_for_less(auth: Auth, keys: ApiKeys) -> None:
    stranger = key_of(3)
    for auth.now in (0.0, BAD_SECONDS - 0.01, BAD_SECONDS):
        with pytest.raises(ApiKeyInvalid):
            await keys.caller(stranger)
    assert auth.asked == [stranger] * 2


@pytest.mark.parametrize("token", [b"", b"mmk_", b"mmk_1_2", KEY + b"0", KEY[:-1], KEY.upper(), b"\xff" * 85])
async def test_what_no_key_looks_like_is_refused_without_a_question(
    auth: Auth, keys: ApiKeys, token: bytes
) -> None:
    with pytest.raises(ApiKeyInvalid):
        await keys.caller(token)
    assert auth.asked == []


async def test_of_many_requests_with_one_key_one_asks(auth: Auth, keys: ApiKeys) -> None:
    auth.open.clear()
    waiting = [asyncio.create_task(keys.caller(KEY)) for _ in range(50)]
    await asked(auth, 1)
    waiting[0].cancel()
    auth.open.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert len({id(answer) for answer in answers[1:]}) == 1
    assert auth.asked == [KEY]


@pytest.mark.parametrize(
    "failure",
    [
        Unavailable("auth is down"),
        Refused(Refusal(code="request.invalid", kind=Kind.INVALID, detail="not of this version")),
    ],
)
async def test_without_an_answer_nobody_is_let_in_and_nobody_is_called_invalid(
    auth: Auth, keys: ApiKeys, failure: Exception
) -> None:
    auth.fails = failure
    with pytest.raises(ApiKeysUnavailable) as refused:
        await keys.caller(KEY)
    assert (refused.value.code, refused.value.kind) == ("auth.api_keys_unavailable", Kind.BUSY)
    auth.fails = None
    assert (await keys.caller(KEY)).scopes == frozenset({Scope.ORDERS_READ})


async def test_a_key_that_is_known_outlives_a_short_outage(auth: Auth, keys: ApiKeys) -> None:
    await keys.caller(KEY)
    auth.fails = Unavailable("auth is down")
    auth.now = GOOD_SECONDS - 0.01
    await keys.caller(KEY)
    auth.now = GOOD_SECONDS
    with pytest.raises(ApiKeysUnavailable):
        await keys.caller(KEY)


async def test_a_flood_of_made_up_keys_is_bounded_and_known_keys_get_past_it(
    auth: Auth, keys: ApiKeys
) -> None:
    await keys.caller(KEY)
    auth.now = GOOD_SECONDS
    auth.open.clear()
    flood = [asyncio.create_task(keys.caller(key_of(100 + number))) for number in range(CHECKS_AT_ONCE)]
    await asked(auth, 1 + CHECKS_AT_ONCE)
    with pytest.raises(ApiKeysUnavailable):
        await keys.caller(OTHER)
    known = asyncio.create_task(keys.caller(KEY))
    await asked(auth, 2 + CHECKS_AT_ONCE)
    auth.open.set()
    assert (await known).scopes == frozenset({Scope.ORDERS_READ})
    answers = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(answer) for answer in answers} == {ApiKeyInvalid}


async def test_closing_ends_the_checks_that_run(auth: Auth, keys: ApiKeys) -> None:
    auth.open.clear()
    waiting = asyncio.create_task(keys.caller(KEY))
    await asked(auth, 1)
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
