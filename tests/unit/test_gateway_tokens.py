import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from api.gateway.errors import TokenExpired, TokenInvalid
from api.gateway.tokens import CACHE_SECONDS, TokenVerifier
from contracts.identity import Identity, Role
from tests.forged_tokens import FORGERIES, Forgery, claims_of, segment, signed
from tests.gateway_peers import Issuer

ISSUER = Issuer()


class PublishedKeys:
    """The issuer's key alone, as if fetched; counts how often it was asked for."""

    def __init__(self) -> None:
        self.retired = False
        self.asked = 0

    async def key(self, kid: str) -> ECKey:
        self.asked += 1
        if not self.holds(kid):
            raise TokenInvalid("unknown key")
        return ISSUER.key

    def holds(self, kid: str) -> bool:
        return kid == ISSUER.kid and not self.retired


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(PublishedKeys())


async def caller(verifier: TokenVerifier, token: str) -> Identity | None:
    principal = await verifier.caller([f"Bearer {token}".encode()])
    return principal.identity if principal is not None else None


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_token_that_does_not_hold_is_refused(verifier: TokenVerifier, forge: Forgery) -> None:
    with pytest.raises(TokenInvalid):
        await caller(verifier, forge(ISSUER))


async def test_a_good_token_names_its_bearer(verifier: TokenVerifier) -> None:
    token = ISSUER.token(sub="user-7", roles=["staff", "a-role-of-tomorrow"], sid="session-7")
    assert await caller(verifier, token) == Identity(
        subject="user-7", roles=frozenset({Role.STAFF}), session="session-7"
    )


async def test_no_token_is_nobody(verifier: TokenVerifier) -> None:
    assert await verifier.caller([]) is None


@pytest.mark.parametrize("seconds", [0, 29])
async def test_clocks_may_differ_a_little(seconds: int) -> None:
    now = int(time.time())
    verifier = TokenVerifier(PublishedKeys(), now=lambda: now)
    assert await caller(verifier, ISSUER.token(exp=now - seconds + 2, nbf=now + seconds - 2)) is not None


async def test_an_expired_token_is_told_apart(verifier: TokenVerifier) -> None:
    with pytest.raises(TokenExpired):
        await caller(verifier, ISSUER.token(exp=int(time.time()) - 31))


async def test_a_token_that_was_verified_still_expires() -> None:
    clock = [time.time()]
    verifier = TokenVerifier(PublishedKeys(), now=lambda: clock[0])
    token = ISSUER.token(exp=int(clock[0]) + 10)
    assert await caller(verifier, token) is not None
    clock[0] += 41
    with pytest.raises(TokenExpired):
        await caller(verifier, token)


async def test_the_scheme_may_be_written_in_any_case(verifier: TokenVerifier) -> None:
    assert await verifier.caller([b"bEaReR " + ISSUER.token().encode()]) is not None


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Bearer", "", "Token abc"])
async def test_another_scheme_is_not_ignored(verifier: TokenVerifier, scheme: str) -> None:
    with pytest.raises(TokenInvalid):
        await verifier.caller([scheme.encode()])


async def test_two_authorizations_are_refused(verifier: TokenVerifier) -> None:
    header = f"Bearer {ISSUER.token()}".encode()
    with pytest.raises(TokenInvalid):
        await verifier.caller([header, header])


@given(token=st.binary(max_size=200))
async def test_no_bytes_are_more_than_invalid(token: bytes) -> None:
    with pytest.raises(TokenInvalid):
        await TokenVerifier(PublishedKeys()).caller([b"Bearer " + token])


@given(
    header=st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk"]), inner),
    )
)
async def test_no_header_is_more_than_invalid(header: object) -> None:
    with pytest.raises(TokenInvalid):
        await caller(TokenVerifier(PublishedKeys()), f"{segment(header)}.{segment({})}.AA")


async def test_a_token_that_is_known_has_the_same_principal(verifier: TokenVerifier) -> None:
    """With all that hangs on it: the word to the services is signed once for many requests."""
    authorization = [f"Bearer {ISSUER.token()}".encode()]
    assert await verifier.caller(authorization) is await verifier.caller(authorization)


async def test_a_token_is_known_only_for_a_moment() -> None:
    clock, keys = [time.time()], PublishedKeys()
    verifier = TokenVerifier(keys, now=lambda: clock[0])
    token = ISSUER.token()
    for asked in (1, 1, 2):
        await caller(verifier, token)
        assert keys.asked == asked
        clock[0] += CACHE_SECONDS / 2


async def test_a_token_that_is_known_opens_nothing_once_its_key_is_gone() -> None:
    keys = PublishedKeys()
    verifier, token = TokenVerifier(keys), ISSUER.token()
    await caller(verifier, token)
    keys.retired = True
    with pytest.raises(TokenInvalid):
        await caller(verifier, token)


async def test_what_is_forged_is_good_but_for_one_thing(verifier: TokenVerifier) -> None:
    exp = str(int(time.time()) + 900)
    for token in (claims_of(ISSUER, "exp", exp), signed(ISSUER, json.dumps(ISSUER.claims()).encode())):
        assert await caller(verifier, token) is not None
