"""Who sends a request, as the gateway has proved it, and the gateway's word about it."""

import time
from dataclasses import dataclass, field

from contracts.auth import Scope
from contracts.identity import Identity
from runtime.identity import LIFETIME_SECONDS, IdentitySigner

# A word is used again while at least half of its life is left: signing costs more than all else about it.
_REUSED_SECONDS = LIFETIME_SECONDS / 2


@dataclass(slots=True, eq=False)
class Principal:
    """A person by an access token or a cookie, or a machine by an API key."""

    identity: Identity
    # What a machine's key may do; None for a person, who may do what the roles allow.
    scopes: frozenset[Scope] | None = None
    # Whom limits count: one name for all requests of the same caller.
    name: str = field(init=False)
    _word: str = field(init=False, default="", repr=False)
    _word_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.name = f"u:{self.identity.subject}"

    def vouched_by(self, signer: IdentitySigner) -> str:
        """The gateway's word to the services that it is them."""
        now = time.time()
        if now >= self._word_until:
            self._word = signer.sign(self.identity, now=now)
            self._word_until = now + _REUSED_SECONDS
        return self._word
