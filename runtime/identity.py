"""The gateway's signed word about a caller: services trust it, clients cannot forge it."""

import time

from contracts.errors import Unauthenticated
from contracts.identity import Identity, Role
from runtime.signed_word import NotReadable, NotSigned, SignedWord

# An assertion is made anew for every request; this only bounds what a leaked header is worth.
LIFETIME_SECONDS = 60


class InvalidIdentity(Unauthenticated):
    """An identity header that the gateway did not write, or wrote too long ago."""

    code = "auth.identity_invalid"


class IdentitySigner:
    """Signs and verifies identities with a secret that only our own processes hold."""

    def __init__(self, secret: str) -> None:
        self._word = SignedWord("identity", secret)

    def sign(self, identity: Identity, *, now: float | None = None) -> str:
        claims = {
            "sub": identity.subject,
            "roles": sorted(identity.roles),
            "sid": identity.session,
            "exp": int(now if now is not None else time.time()) + LIFETIME_SECONDS,
        }
        return self._word.write(claims)

    def verify(self, header: str, *, now: float | None = None) -> Identity:
        try:
            claims = self._word.read(header)
        except NotSigned as error:
            raise InvalidIdentity("the identity header was not signed by the gateway") from error
        except NotReadable as error:
            raise InvalidIdentity("the identity header cannot be read") from error
        if claims["exp"] < (now if now is not None else time.time()):
            raise InvalidIdentity("the identity header has expired")
        return Identity(
            subject=claims["sub"],
            roles=frozenset(Role(role) for role in claims["roles"]),
            session=claims["sid"],
        )
