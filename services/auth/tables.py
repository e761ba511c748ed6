"""Auth's tables."""

from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue
from sqlalchemy import DateTime, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from runtime.outbox import OutboxColumns


class Revocation(StrEnum):
    """Why a session ended before its time."""

    LOGGED_OUT = "logged_out"
    TOKEN_REUSED = "token_reused"  # noqa: S105 - a reason


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


class RefreshFamilyRow(AuthTable, table=True):
    """One session: every refresh token that descends from one login."""

    __tablename__ = "refresh_families"

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="users.id", max_length=36, index=True)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    reason: str | None = Field(default=None, max_length=16)


class RefreshTokenRow(AuthTable, table=True):
    """One refresh token by its SHA-256; a used one is kept, so that its reuse is seen."""

    __tablename__ = "refresh_tokens"

    hash: bytes = Field(primary_key=True)
    family_id: str = Field(foreign_key="refresh_families.id", max_length=36, index=True)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class SigningKeyRow(AuthTable, table=True):
    """One signing key: the newest that is not retired signs, all that are not retired verify."""

    __tablename__ = "signing_keys"

    kid: str = Field(primary_key=True, max_length=64)
    public_key: dict[str, JsonValue] = Field(sa_type=JSONB)
    sealed_private_key: bytes
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    retired_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class OutboxRow(OutboxColumns, AuthTable, table=True):
    __tablename__ = "outbox"
