import base64
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from api.gateway.errors import TokenExpired, TokenInvalid
from api.gateway.tokens import LONGEST_TOKEN, TokenVerifier
from contracts.identity import Identity, Role
from tests.gateway_peers import Issuer

ISSUER = Issuer()
NOW = time.time()


class PublishedKeys:
    """The issuer's key alone, as if fetched."""

    async def key(self, kid: str) -> ECKey:
        if kid != ISSUER.kid:
            raise TokenInvalid("unknown key")
        return ISSUER.key


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(PublishedKeys())


async def caller(verifier: TokenVerifier, token: str) -> Identity | None:
    principal = await verifier.caller([f"Bearer {token}".encode()])
    return principal.identity if principal is not None else None


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def with_header(**changes: object) -> str:
    """A good token whose header was exchanged, signature and all else kept."""
    _, payload, signature = ISSUER.token().split(".")
    return f"{segment(ISSUER.header(**changes))}.{payload}.{signature}"


def signed_by(key: ECKey, alg: str = "ES256") -> str:
    return jwt.encode(ISSUER.header(alg=alg), ISSUER.claims(), key, algorithms=[alg])


def signed_header(**changes: object) -> str:
    """A token whose unusual header the issuer itself signed."""
    return jwt.encode(ISSUER.header(**changes), ISSUER.claims(), ISSUER.key)


def hmac_with_public_key() -> str:
    public = OctKey.import_key(json.dumps(ISSUER.key.as_dict(private=False)))
    return jwt.encode(ISSUER.header(alg="HS256"), ISSUER.claims(), public, algorithms=["HS256"])


def promoted() -> str:
    head, _, signature = ISSUER.token().split(".")
    return f"{head}.{segment(ISSUER.claims(roles=['admin']))}.{signature}"


def unsigned() -> str:
    return f"{segment(ISSUER.header(alg='none'))}.{segment(ISSUER.claims())}."


def smuggled_key() -> str:
    other = Issuer()
    return jwt.encode(ISSUER.header(jwk=other.key.as_dict(private=False)), ISSUER.claims(), other.key)


REFUSED: dict[str, Callable[[], str]] = {
    "alg none": unsigned,
    "alg none, signature kept": lambda: with_header(alg="none"),
    "alg None": lambda: with_header(alg="None"),
    "HS256 with the public key": hmac_with_public_key,
    "ES384": lambda: signed_by(ECKey.generate_key("P-384"), "ES384"),
    "another key under our kid": lambda: signed_by(Issuer().key),
    "key in the header": smuggled_key,
    "key by URL": lambda: signed_header(jku="https://evil.example/jwks.json"),
    "certificate by URL": lambda: signed_header(x5u="https://evil.example/cert"),
    "crit": lambda: with_header(crit=["exp"]),
    "no kid": lambda: with_header(kid=None),
    "kid of another type": lambda: with_header(kid={"a": 1}),
    "unknown kid": lambda: Issuer("key-2").token(),
    "typ JWT": lambda: signed_header(typ="JWT"),
    "header is a list": lambda: f"{segment(['alg'])}.{segment({})}.AA",
    "header is a text": lambda: f"{segment('alg')}.{segment({})}.AA",
    "claims tampered": promoted,
    "signature cut": lambda: ISSUER.token()[:-4],
    "signature gone": lambda: ISSUER.token().rpartition(".")[0] + ".",
    "a part more": lambda: ISSUER.token() + ".AA",
    "empty": lambda: "",
    "garbage": lambda: "not-a-token",
    "dots": lambda: "..",
    "too long": lambda: "a" * (LONGEST_TOKEN + 1),
    "deeply nested header": lambda: (
        base64.urlsafe_b64encode(b"[" * 3_000).rstrip(b"=").decode() + "." + segment({}) + ".AA"
    ),
    "wrong issuer": lambda: ISSUER.token(iss="evil"),
    "no issuer": lambda: ISSUER.token(iss=None),
    "wrong audience": lambda: ISSUER.token(aud="another"),
    "no audience": lambda: ISSUER.token(aud=None),
    "no subject": lambda: ISSUER.token(sub=None),
    "empty subject": lambda: ISSUER.token(sub=""),
    "subject is a number": lambda: ISSUER.token(sub=7),
    "no expiry": lambda: ISSUER.token(exp=None),
    "expiry is a text": lambda: ISSUER.token(exp="tomorrow"),
    "expiry has too many digits": lambda: ISSUER.token(exp=10**400),
    "not valid yet": lambda: ISSUER.token(nbf=int(NOW) + 600),
    "issued in the future": lambda: ISSUER.token(iat=int(NOW) + 600),
    "no jti": lambda: ISSUER.token(jti=None),
    "roles is a text": lambda: ISSUER.token(roles="admin"),
    "roles holds an object": lambda: ISSUER.token(roles=[{"a": 1}]),
    "no roles": lambda: ISSUER.token(roles=None),
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
async def test_a_token_that_does_not_hold_is_refused(
    verifier: TokenVerifier, token: Callable[[], str]
) -> None:
    with pytest.raises(TokenInvalid):
        await caller(verifier, token())


async def test_a_good_token_names_its_bearer(verifier: TokenVerifier) -> None:
    token = ISSUER.token(sub="user-7", roles=["staff", "a-role-of-tomorrow"], sid="session-7")
    assert await caller(verifier, token) == Identity(
        subject="user-7", roles=frozenset({Role.STAFF}), session="session-7"
    )


async def test_no_token_is_nobody(verifier: TokenVerifier) -> None:
    assert await verifier.caller([]) is None


@pytest.mark.parametrize("seconds", [0, 29])
async def test_clocks_may_differ_a_little(verifier: TokenVerifier, seconds: int) -> None:
    now = int(time.time())
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
