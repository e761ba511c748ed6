from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from contracts.auth import PublicKey
from contracts.identity import Identity, Role
from services.auth.errors import SigningKeyUnreadable
from services.auth.signing import KeySeal, SealedKey, access_token

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEARER = Identity(subject="user-1", roles=frozenset({Role.STAFF, Role.CUSTOMER}), session="session-1")


def token(sealed: SealedKey, seal: KeySeal) -> str:
    return access_token(seal.open(sealed), BEARER, NOW, timedelta(seconds=900))


def decoded(value: str, public: PublicKey) -> jwt.Token:
    return jwt.decode(value, ECKey.import_key(public.model_dump()), algorithms=["ES256"])


def test_a_token_says_who_its_bearer_is_and_until_when() -> None:
    seal = KeySeal("secret")
    sealed = seal.new_key()
    read = decoded(token(sealed, seal), sealed.public)
    assert read.header == {"alg": "ES256", "kid": sealed.public.kid, "typ": "at+jwt"}
    assert read.claims.pop("jti")
    issued = int(NOW.timestamp())
    assert read.claims == {
        "iss": "micromart",
        "aud": "micromart",
        "sub": "user-1",
        "roles": ["customer", "staff"],
        "sid": "session-1",
        "iat": issued,
        "nbf": issued,
        "exp": issued + 900,
    }


def test_no_two_tokens_share_an_id() -> None:
    seal = KeySeal("secret")
    sealed = seal.new_key()
    first, second = (decoded(token(sealed, seal), sealed.public).claims["jti"] for _ in range(2))
    assert first != second


def test_another_key_does_not_verify_a_token() -> None:
    seal = KeySeal("secret")
    with pytest.raises(BadSignatureError):
        decoded(token(seal.new_key(), seal), seal.new_key().public)


def test_the_public_part_has_no_private_field() -> None:
    public = KeySeal("secret").new_key().public
    assert public.model_dump().keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_the_private_part_is_not_readable_at_rest() -> None:
    seal = KeySeal("secret")
    sealed = seal.new_key()
    private = seal.open(sealed).as_dict(private=True)["d"]
    assert isinstance(private, str)
    assert private.encode() not in sealed.private


def test_another_secret_does_not_open_a_key() -> None:
    sealed = KeySeal("secret").new_key()
    with pytest.raises(SigningKeyUnreadable, match="another auth_key_secret"):
        KeySeal("another").open(sealed)


def test_a_private_part_moved_to_another_key_does_not_open() -> None:
    seal = KeySeal("secret")
    with pytest.raises(SigningKeyUnreadable):
        seal.open(replace(seal.new_key(), private=seal.new_key().private))
