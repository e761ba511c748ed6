"""Access tokens: verified here, once, and nowhere behind the gateway."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import json_b64decode

from api.gateway.errors import TokenExpired, TokenInvalid
from api.gateway.principal import Principal
from contracts.auth import ACCESS_TOKEN_TYPE, AUDIENCE, ISSUER, SIGNING_ALGORITHM
from contracts.identity import Identity, Role

SKEW_SECONDS = 30
LONGEST_TOKEN = 4_096
# Long enough to spare a busy client's signature checks, too short to matter beside a token's own lifetime.
CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000

# Three parts, and the last is the 64 bytes of an ES256 signature in their one spelling: a decoder would let
# padding, foreign characters and stray bits pass.
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")
_ALGORITHMS = [SIGNING_ALGORITHM]
_ROLES = {role.value: role for role in Role}
# The year 9999: what is later is no time, and may be more than a float holds.
_LATEST = 253_402_300_799


class Keys(Protocol):
    async def key(self, kid: str) -> ECKey: ...

    def holds(self, kid: str) -> bool: ...


class _Verified:
    """A token that held, as long as its key does; forgotten soon, so that the keys are asked again."""

    __slots__ = ("expired_at", "kid", "principal", "stale_at")

    def __init__(self, principal: Principal, kid: str, expired_at: float, stale_at: float) -> None:
        self.principal = principal
        self.kid = kid
        self.expired_at = expired_at
        self.stale_at = stale_at


class TokenVerifier:
    """Turns an Authorization header into a principal; one that does not hold is refused, never ignored.

    It knows nothing of sessions that have ended: whoever asks it asks Revocations too, on each request.
    """

    def __init__(self, keys: Keys, *, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._now = now
        # In the order in which they grow stale.
        self._verified: dict[bytes, _Verified] = {}

    async def caller(self, authorization: Sequence[bytes]) -> Principal | None:
        """Who sent these Authorization headers; None for a request without any."""
        if not authorization:
            return None
        if len(authorization) > 1:
            raise TokenInvalid("Send one Authorization header.")
        scheme, _, token = authorization[0].partition(b" ")
        if scheme.lower() != b"bearer":
            raise TokenInvalid("Send an Authorization header: Bearer and an access token.")
        return await self.verified(token.strip(b" "))

    async def verified(self, token: bytes) -> Principal:
        """Whose token it is; the same principal again for the same token, while it is remembered."""
        if len(token) > LONGEST_TOKEN:
            raise TokenInvalid("This is not an access token.")
        now = self._now()
        # By digest: what lies in memory cannot be used as a token.
        digest = hashlib.sha256(token).digest()
        known = self._verified.get(digest)
        if known is None or known.stale_at <= now or not self._keys.holds(known.kid):
            identity, kid, expires = await self._verify(token)
            known = _Verified(Principal(identity), kid, expires + SKEW_SECONDS, now + CACHE_SECONDS)
            self._remember(digest, known, now)
        if known.expired_at <= now:
            raise TokenExpired("This access token has expired.")
        return known.principal

    def _remember(self, digest: bytes, verified: _Verified, now: float) -> None:
        held = self._verified
        held.pop(digest, None)
        while held:
            oldest = next(iter(held))
            if held[oldest].stale_at > now and len(held) < CACHE_SIZE:
                break
            del held[oldest]
        held[digest] = verified

    async def _verify(self, token: bytes) -> tuple[Identity, str, int]:
        """Who it names, which key signed it and when it expires."""
        if _TOKEN.fullmatch(token) is None:
            raise TokenInvalid("This is not an access token.")
        kid = _key_id(token)
        key = await self._keys.key(kid)
        try:
            payload = jws.deserialize_compact(token, key, algorithms=_ALGORITHMS).payload
            claims = json.loads(payload, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
            identity, expires = _identity(claims, self._now())
        # RecursionError: a payload nested deeper than the parser goes.
        except (JoseError, ValueError, RecursionError) as error:
            raise TokenInvalid("This access token does not hold.") from error
        return identity, kid, expires


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


def _identity(claims: Any, now: float) -> tuple[Identity, int]:
    """Who the claims name and when they expire; TokenExpired or a ValueError where they do not hold now.

    Nothing is converted or guessed: each claim has the one type that auth writes it with.
    """
    if not isinstance(claims, dict) or claims.get("iss") != ISSUER or claims.get("aud") != AUDIENCE:
        raise ValueError("not ours, or not for us")
    expires, issued, not_before = _time(claims, "exp"), _time(claims, "iat"), _time(claims, "nbf")
    if max(issued, not_before) > now + SKEW_SECONDS:
        raise ValueError("not valid yet")
    roles = claims.get("roles")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise ValueError("`roles` is not a list of names")
    _text(claims, "jti")
    identity = Identity(
        subject=_text(claims, "sub"),
        # Roles that this version does not know are left out: they cannot open anything here.
        roles=frozenset(_ROLES[role] for role in roles if role in _ROLES),
        session=_text(claims, "sid"),
    )
    if expires + SKEW_SECONDS <= now:
        raise TokenExpired("This access token has expired.")
    return identity, expires


def _time(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 < value <= _LATEST:
        raise ValueError(f"`{name}` is not a time")
    return value


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"`{name}` is not a name")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of names that each come once: of two, another reader might believe the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
