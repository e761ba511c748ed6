"""Access tokens: verified here, once, and nowhere behind the gateway."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import json_b64decode

from api.gateway.errors import TokenExpired, TokenInvalid
from contracts.auth import ACCESS_TOKEN_TYPE, AUDIENCE, ISSUER, SIGNING_ALGORITHM
from contracts.identity import Identity, Role

SKEW_SECONDS = 30
LONGEST_TOKEN = 4_096
# Long enough to spare a busy client's signature checks, too short to matter beside a token's own lifetime.
CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000

_ROLES = frozenset(Role)


class Keys(Protocol):
    async def key(self, kid: str) -> ECKey: ...


@dataclass(frozen=True, slots=True)
class _Verified:
    identity: Identity
    expires_at: float


class TokenVerifier:
    """Turns an Authorization header into an identity; one that does not hold is refused, never ignored."""

    def __init__(self, keys: Keys, *, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._now = now
        self._verified: TTLCache[bytes, _Verified] = TTLCache(CACHE_SIZE, CACHE_SECONDS)
        self._claims = JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )

    async def caller(self, authorization: Sequence[bytes]) -> Identity | None:
        """Who sent these Authorization headers; None for a request without any."""
        if not authorization:
            return None
        scheme, _, token = authorization[0].partition(b" ")
        token = token.strip()
        if len(authorization) > 1 or scheme.lower() != b"bearer" or not 0 < len(token) <= LONGEST_TOKEN:
            raise TokenInvalid("Send one Authorization header: Bearer and an access token.")
        # By digest: what lies in memory cannot be used as a token.
        digest = hashlib.sha256(token).digest()
        verified = self._verified.get(digest)
        if verified is None:
            verified = await self._verify(token)
            self._verified[digest] = verified
        if verified.expires_at + SKEW_SECONDS <= self._now():
            raise TokenExpired("This access token has expired.")
        return verified.identity

    async def _verify(self, token: bytes) -> _Verified:
        key = await self._keys.key(_key_id(token))
        try:
            claims = jwt.decode(token, key, algorithms=[SIGNING_ALGORITHM]).claims
            self._claims.validate(claims)
            return _Verified(_identity(claims), float(claims["exp"]))
        except ExpiredTokenError:
            raise TokenExpired("This access token has expired.") from None
        # OverflowError: an `exp` of more digits than a float has.
        except (JoseError, ValueError, OverflowError) as error:
            raise TokenInvalid("This access token does not hold.") from error


def _key_id(token: bytes) -> str:
    """The id of the signing key, from a header with exactly the three fields that auth writes.

    Whatever else a header may say (`jwk`, `jku`, `x5u`, `crit`, another algorithm) is an attack or a mistake.
    """
    try:
        header = json_b64decode(token.partition(b".")[0])
    except (ValueError, RecursionError) as error:
        raise TokenInvalid("This is not an access token.") from error
    if not isinstance(header, dict) or header.keys() != {"alg", "kid", "typ"}:
        raise TokenInvalid("This is not an access token of ours.")
    if (
        header["alg"] != SIGNING_ALGORITHM
        or header["typ"] != ACCESS_TOKEN_TYPE
        or not isinstance(header["kid"], str)
    ):
        raise TokenInvalid("This is not an access token of ours.")
    return header["kid"]


def _identity(claims: dict[str, Any]) -> Identity:
    """Roles that this version does not know are left out: they cannot open anything here."""
    roles = claims.get("roles")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise ValueError("`roles` is not a list of names")
    return Identity(
        subject=claims["sub"],
        roles=frozenset(Role(role) for role in roles if role in _ROLES),
        session=claims.get("sid"),
    )
