"""What auth says, what the gateway asks of it, and how its tokens and keys are recognised."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr, field_serializer

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


# How long whoever verifies our tokens may go on with the keys that they have.
KEY_SET_MAX_AGE_SECONDS = 300
# How long the end of a session or a signing key is remembered: longer than all that opens doors by it lives.
ENDED_SESSIONS_KEPT_SECONDS = 9 * 3_600
# So many are told at once: few enough that reading them holds up nothing else.
ENDED_SESSIONS_PAGE = 2_000
API_KEY_PREFIX = "mmk_"


class Scope(StrEnum):
    """What an API key may do; the gateway's routes say which of them each one asks for."""

    CATALOG_WRITE = "catalog:write"
    INVENTORY_WRITE = "inventory:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    PAYMENTS_READ = "payments:read"
    FULFILMENT_READ = "fulfilment:read"
    FULFILMENT_WRITE = "fulfilment:write"
    NOTIFICATIONS_READ = "notifications:read"


class ApiKeyCheck(BaseModel):
    """POST /internal/api-keys/checks: whose key is this?"""

    model_config = ConfigDict(frozen=True)

    key: SecretStr

    @field_serializer("key", when_used="json")
    def _reveal(self, key: SecretStr) -> str:
        return key.get_secret_value()


class ApiKeyGrant(BaseModel):
    """A key that holds: the name it acts under, and what it may do."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session whose access tokens are worth nothing any more; thousands come at once, and are no models."""

    session: str
    ended_at: datetime


class EndedSessions(BaseModel):
    """GET /internal/sessions/ended?after=&limit=&cursor=: the sessions that ended since then, page by page.

    Each page tells how late it is at auth, and the ids of all signing keys that were retired lately. Whoever
    names no limit is told everything at once.
    """

    model_config = ConfigDict(frozen=True)

    items: tuple[EndedSession, ...]
    now: datetime
    # An auth that is older than this field tells of none.
    retired_keys: frozenset[str] = frozenset()
    # Where the next page begins; an auth that is older than this field tells everything at once.
    next_cursor: str | None = None


class StaffAction(BaseModel):
    """POST /internal/staff-actions: what a member of the staff is about to do, noted before it is done."""

    model_config = ConfigDict(frozen=True)

    actor: str
    method: str
    route: str
    path: str
    request_id: str
    trace_id: str
    address: str


class StaffActionNoted(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str


class StaffActionEnded(BaseModel):
    """POST /internal/staff-actions/{id}/outcome: the status that it was answered with."""

    model_config = ConfigDict(frozen=True)

    status: int


class MailedToken(BaseModel):
    """GET /internal/mails/{mail_id}/token: the secret of a link, asked for where the mail is written."""

    model_config = ConfigDict(frozen=True)

    token: SecretStr
    email: str
    name: str | None
    expires_at: datetime

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class MailRequested(EventData):
    """Somebody is to be sent a link; its secret is not in here, but asked for when the mail is written."""

    user_id: str
    mail_id: str


class PasswordChanged(EventData):
    """An account has another password, and its other sessions have ended."""

    user_id: str
    changed_at: datetime


class EmailVerified(EventData):
    """The owner of an account has shown that its mail reaches them."""

    user_id: str
    email: str


class UserRegistered(EventData):
    """Somebody has an account now."""

    user_id: str
    email: str
    name: str | None
    registered_at: datetime


USER_REGISTERED = "auth.user_registered"
PASSWORD_RESET_REQUESTED = "auth.password_reset_requested"  # noqa: S105 - an event's name
PASSWORD_CHANGED = "auth.password_changed"  # noqa: S105 - an event's name
EMAIL_VERIFICATION_REQUESTED = "auth.email_verification_requested"
EMAIL_VERIFIED = "auth.email_verified"
