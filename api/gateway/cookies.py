"""The cookie with which the staff stays signed in at the Temporal UI; it opens nothing else."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from contracts.identity import Identity, Role
from runtime.signed_word import NotReadable, NotSigned, SignedWord

COOKIE_PATH = "/temporal"
# Shorter than ended sessions are remembered (ENDED_SESSIONS_KEPT_SECONDS): a logout outlives the cookie.
LIFETIME_SECONDS = 8 * 3_600
_NAME = "micromart_temporal"
# Bounds what is checked; ours has a few hundred.
_LONGEST = 2_048


@dataclass(frozen=True, slots=True)
class StaffSession:
    """Who signed in, and when that ends, in seconds since 1970."""

    identity: Identity
    expires_at: int


class StaffCookie:
    """Signs and reads the cookie, with a key made from a secret that only gateways hold."""

    def __init__(self, secret: str, *, secure: bool, now: Callable[[], float] = time.time) -> None:
        self._word = SignedWord("temporal-cookie", secret)
        # Not `__Host-`, which would send it to the whole shop; plain HTTP cannot set this one either.
        self._name = f"__Secure-{_NAME}" if secure else _NAME
        # Lax: a link to a workflow, from a mail or a chat, opens. What changes anything checks its origin.
        self._attributes = f"Path={COOKIE_PATH}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        self._now = now

    def opened(self, identity: Identity) -> str:
        """The Set-Cookie of somebody who signs in now."""
        claims = {
            "sub": identity.subject,
            "roles": sorted(identity.roles),
            "sid": identity.session,
            "exp": int(self._now()) + LIFETIME_SECONDS,
        }
        return f"{self._name}={self._word.write(claims)}; Max-Age={LIFETIME_SECONDS}; {self._attributes}"

    def cleared(self) -> str:
        """The Set-Cookie that takes it back."""
        return f"{self._name}=; Max-Age=0; {self._attributes}"

    def read(self, headers: Iterable[str]) -> StaffSession | None:
        """Who the Cookie headers of a request prove to be signed in; of two cookies neither counts."""
        values = [value for header in headers for value in self._named(header)]
        if len(values) != 1 or len(values[0]) > _LONGEST:
            return None
        session = self._opened(values[0])
        return session if session is not None and self._now() < session.expires_at else None

    def _named(self, header: str) -> Iterable[str]:
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self._name:
                yield value

    def _opened(self, value: str) -> StaffSession | None:
        """What a value of ours says; None for one that we did not write."""
        try:
            claims = self._word.read(value)
            roles = frozenset(Role(role) for role in claims["roles"])
        # A role that this version does not know: another version wrote it, and they sign in again.
        except (NotSigned, NotReadable, ValueError):
            return None
        identity = Identity(subject=claims["sub"], roles=roles, session=claims["sid"])
        return StaffSession(identity, expires_at=claims["exp"])
