"""What auth says: who registered, and how its access tokens are recognised."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts.events import EventData

ISSUER = "micromart"
AUDIENCE = "micromart"
SIGNING_ALGORITHM = "ES256"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a header's value (RFC 9068)


class PublicKey(BaseModel):
    """A JSON Web Key that verifies our access tokens; it has no field that a private part could fill."""

    model_config = ConfigDict(frozen=True)

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class UserRegistered(EventData):
    """Somebody has an account now."""

    user_id: str
    email: str
    name: str | None
    registered_at: datetime


USER_REGISTERED = "auth.user_registered"
