"""Who sends a request, as the gateway has proved it."""

from dataclasses import dataclass

from contracts.auth import Scope
from contracts.identity import Identity


@dataclass(frozen=True, slots=True)
class Principal:
    """A person by an access token or a cookie, or a machine by an API key."""

    identity: Identity
    # What a machine's key may do; None for a person, who may do what the roles allow.
    scopes: frozenset[Scope] | None = None
