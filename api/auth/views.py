"""What auth's routes take and answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from api.requests import RequestBody
from contracts.auth import PublicKey
from contracts.identity import Role

if TYPE_CHECKING:
    from services.auth.refresh_answers import Tokens
    from services.auth.store import User

# Bounds what is parsed and hashed; which email, password or name is acceptable is the service's rule.
Text = Annotated[str, Field(max_length=1_000)]
Secret = Annotated[SecretStr, Field(max_length=1_000)]


class Register(RequestBody):
    email: Annotated[Text, Field(examples=["ada@example.com"])]
    password: Annotated[Secret, Field(description="8 to 128 characters")]
    name: Text | None = None


class Login(RequestBody):
    email: Annotated[Text, Field(examples=["ada@example.com"])]
    password: Secret


class Refresh(RequestBody):
    refresh_token: Secret


class UserView(BaseModel):
    """An account as its owner sees it."""

    id: str
    email: str
    name: str | None
    roles: Sequence[Role]

    @classmethod
    def of(cls, user: "User") -> "UserView":
        return cls(id=user.id, email=user.email, name=user.name, roles=sorted(user.roles))


class AccountView(UserView):
    """An account, since when it is one, and whether its mail is known to reach its owner."""

    created_at: datetime
    email_verified: bool

    @classmethod
    def of(cls, user: "User") -> "AccountView":
        return cls(
            **UserView.of(user).model_dump(),
            created_at=user.created_at,
            email_verified=user.email_verified_at is not None,
        )


class TokensView(BaseModel):
    """RFC 6749's answer: the access token is sent as a bearer, the refresh token is spent once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a type's name
    expires_in: int

    @classmethod
    def of(cls, tokens: "Tokens") -> "TokensView":
        return cls(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
        )


class KeySetView(BaseModel):
    """RFC 7517's key set: the public keys that verify our access tokens."""

    keys: Sequence[PublicKey]
