"""Signing keys, sealed at rest, and the access tokens that they sign."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

from contracts.auth import ACCESS_TOKEN_TYPE, AUDIENCE, ISSUER, SIGNING_ALGORITHM, PublicKey
from contracts.identity import Identity
from services.auth.errors import SigningKeyUnreadable
from services.auth.sealing import NotSealed, Seal


@dataclass(frozen=True)
class SealedKey:
    """A signing key as it is stored: its public part in the clear, its private part encrypted."""

    public: PublicKey
    private: bytes


class KeySeal:
    """Makes signing keys and opens them again; only a holder of the same secret can."""

    def __init__(self, secret: str) -> None:
        self._seal = Seal(secret, "signing-keys")

    def new_key(self) -> SealedKey:
        """A fresh key pair, named by its RFC 7638 thumbprint."""
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": SIGNING_ALGORITHM}, auto_kid=True)
        public = PublicKey.model_validate(key.as_dict(private=False))
        private = json.dumps(key.as_dict(private=True)).encode()
        # Bound to its kid: a ciphertext moved to another row does not open.
        return SealedKey(public, self._seal.seal(private, goes_with=public.kid.encode()))

    def open(self, sealed: SealedKey) -> ECKey:
        """The key pair, ready to sign."""
        try:
            private = self._seal.open(sealed.private, goes_with=sealed.public.kid.encode())
        except NotSealed as error:
            raise SigningKeyUnreadable(
                f"the signing key {sealed.public.kid} was sealed with another auth_key_secret"
            ) from error
        return ECKey.import_key(json.loads(private))


def access_token(key: ECKey, identity: Identity, now: datetime, lifetime: timedelta) -> str:
    """A signed RFC 9068 token that says who its bearer is until it expires."""
    issued = int(now.timestamp())
    return jwt.encode(
        {"alg": SIGNING_ALGORITHM, "kid": key.kid, "typ": ACCESS_TOKEN_TYPE},
        {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": identity.subject,
            "roles": sorted(identity.roles),
            "sid": identity.session,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(lifetime.total_seconds()),
            "jti": str(uuid4()),
        },
        key,
        algorithms=[SIGNING_ALGORITHM],
    )
