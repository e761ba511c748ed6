"""Auth's tables."""

from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue
from sqlalchemy import DateTime, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.outbox import OutboxColumns


class Revocation(StrEnum):
    """Why a session ended before its time."""

    LOGGED_OUT = "logged_out"
    TOKEN_REUSED = "token_reused"  # noqa: S105 - a reason
    ENDED_BY_OWNER = "ended_by_owner"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a reason
    ADDRESS_CLAIMED = "address_claimed"
    ROLES_CHANGED = "roles_changed"
    SIGNED_OUT = "signed_out"
    TOO_MANY = "too_many"


class AuthTable(SQLModel, registry=registry()):
    """The base that gives this service a metadata of its own."""


class UserRow(AuthTable, table=True):
    """One account; the unique email is what makes two registrations of it one."""

    __tablename__ = "users"

    id: str = Field(primary_key=True, max_length=36)
    email: str = Field(unique=True, max_length=254)
    name: str | None = Field(default=None, max_length=200)
    password_hash: str
    roles: list[str] = Field(sa_type=ARRAY(String(16)))
    created_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    email_verified_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    # Whether who chose the password has shown that the address is theirs, too: a verified address alone
    # does not say so, for its owner may have opened the link of somebody else's registration.
    password_proved: bool = Field(default=False)
    # How many events tell of it: the next one's sequence follows, under this row's lock.
    events: int = Field(default=1)


class RefreshFamilyRow(AuthTable, table=True):
    """One session: every refresh token that descends from one login."""

    __tablename__ = "refresh_families"
    __table_args__ = (
        Index("refresh_families_ended", "revoked_at", "id", postgresql_where=text("revoked_at IS NOT NULL")),
        Index("refresh_families_open", "user_id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="users.id", max_length=36, index=True)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    last_used_at: datetime = Field(sa_type=DateTime(timezone=True))
    # Each use moves it on, as far as the absolute end.
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    ends_at: datetime = Field(sa_type=DateTime(timezone=True))
    address: str | None = Field(default=None, max_length=45)
    user_agent: str | None = Field(default=None, max_length=200)
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    reason: str | None = Field(default=None, max_length=16)
    # Whether it was opened by a member of the staff, for whom more may open by it than its access tokens do;
    # a version without this column did not note it.
    of_staff: bool | None = None


class RefreshTokenRow(AuthTable, table=True):
    """One refresh token by its SHA-256; a used one is kept, so that its reuse is seen."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("refresh_tokens_answered", "used_at", postgresql_where=text("answer IS NOT NULL")),
    )

    hash: bytes = Field(primary_key=True)
    family_id: str = Field(foreign_key="refresh_families.id", max_length=36, index=True)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), index=True)
    # What its first use was answered with, sealed, for as long as the grace lasts.
    answer: bytes | None = None


class SigningKeyRow(AuthTable, table=True):
    """One signing key: all that are not retired verify, and of those whose time has come the newest signs."""

    __tablename__ = "signing_keys"

    kid: str = Field(primary_key=True, max_length=64)
    public_key: dict[str, JsonValue] = Field(sa_type=JSONB)
    sealed_private_key: bytes
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    signs_from: datetime = Field(sa_type=DateTime(timezone=True))
    retired_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Purpose(StrEnum):
    """What a mailed link is for."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose
    VERIFY_EMAIL = "verify_email"


class MailedLinkRow(AuthTable, table=True):
    """One link that was mailed or will be; its secret is made from its id whenever it is needed."""

    __tablename__ = "mailed_links"

    mail_id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="users.id", max_length=36, index=True)
    purpose: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class ResetRequestRow(AuthTable, table=True):
    """Somebody says that they forgot their password, whether this address has an account or not."""

    __tablename__ = "reset_requests"
    __table_args__ = (
        Index("reset_requests_waiting", "requested_at", postgresql_where=text("answered_at IS NULL")),
    )

    email: str = Field(primary_key=True, max_length=254)
    requested_at: datetime = Field(sa_type=DateTime(timezone=True))
    answered_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class SignInAttemptsRow(AuthTable, table=True):
    """How often signing in has failed for one account or from one address, by a digest of either."""

    __tablename__ = "sign_in_attempts"

    key: bytes = Field(primary_key=True)
    failures: int
    locked_until: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    forgotten_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class KnownAddressRow(AuthTable, table=True):
    """An address that somebody has signed in to an account from, by a digest of both."""

    __tablename__ = "known_addresses"

    key: bytes = Field(primary_key=True)
    forgotten_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class LinkedIdentityRow(AuthTable, table=True):
    """A user of an OpenID provider, and the account that they sign in to."""

    __tablename__ = "linked_identities"

    issuer: str = Field(primary_key=True, max_length=255)
    subject: str = Field(primary_key=True, max_length=255)
    user_id: str = Field(foreign_key="users.id", max_length=36, index=True)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))


class ApiKeyRow(AuthTable, table=True):
    """One machine's key: what it may do, and the SHA-256 of its secret."""

    __tablename__ = "api_keys"

    id: str = Field(primary_key=True, max_length=16)
    name: str = Field(max_length=100)
    hash: bytes
    scopes: list[str] = Field(sa_type=ARRAY(String(32)))
    created_by: str = Field(max_length=100)
    created_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class StaffActionRow(AuthTable, table=True):
    """One thing that somebody of the staff did; a trigger lets only its outcome be added."""

    __tablename__ = "staff_actions"
    __table_args__ = (Index("ix_staff_actions_actor", "actor", "noted_at"),)

    id: str = Field(primary_key=True, max_length=36)
    actor: str
    method: str
    route: str
    path: str
    request_id: str
    trace_id: str
    address: str
    noted_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    status: int | None = None
    ended_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class OutboxRow(OutboxColumns, AuthTable, table=True):
    __tablename__ = "outbox"
