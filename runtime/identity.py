"""The gateway's signed word about a caller: services trust it, clients cannot forge it."""

import base64
import binascii
import hashlib
import hmac
import json
import time

from contracts.errors import Unauthenticated
from contracts.identity import Identity, Role

# An assertion is made anew for every request; this only bounds what a leaked header is worth.
LIFETIME_SECONDS = 60


class InvalidIdentity(Unauthenticated):
    """An identity header that the gateway did not write, or wrote too long ago."""

    code = "auth.identity_invalid"


class IdentitySigner:
    """Signs and verifies identities with a secret that only our own processes hold."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(f"micromart.identity:{secret}".encode()).digest()

    def sign(self, identity: Identity, *, now: float | None = None) -> str:
        claims = {
            "sub": identity.subject,
            "roles": sorted(identity.roles),
            "sid": identity.session,
            "exp": int(now if now is not None else time.time()) + LIFETIME_SECONDS,
        }
        payload = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{payload.decode()}.{self._mac(payload)}"

    def verify(self, header: str, *, now: float | None = None) -> Identity:
        payload, _, mac = header.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(payload.encode()).encode()):
            raise InvalidIdentity("the identity header was not signed by the gateway")
        try:
            claims = json.loads(base64.urlsafe_b64decode(payload))
        except (binascii.Error, ValueError) as error:
            raise InvalidIdentity("the identity header cannot be read") from error
        if claims["exp"] < (now if now is not None else time.time()):
            raise InvalidIdentity("the identity header has expired")
        return Identity(
            subject=claims["sub"],
            roles=frozenset(Role(role) for role in claims["roles"]),
            session=claims["sid"],
        )

    def _mac(self, payload: bytes) -> str:
        return hmac.new(self._key, payload, hashlib.sha256).hexdigest()
