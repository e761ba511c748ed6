"""What admins are shown and send: machines' keys, and the staff's trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, Field

from api.requests import RequestBody
from contracts.auth import Scope
from contracts.moment import Moment

if TYPE_CHECKING:
    from services.auth.api_key_store import ApiKey
    from services.auth.api_keys import NewApiKey
    from services.auth.staff_action_store import NotedAction

# Control characters, and what cannot be seen or turns the direction of writing: a name that admins go by must
# not look like another one.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
# One line with something to read on it.
KeyName = Annotated[
    str, Field(pattern=rf"^[^{_UNSEEN}]*[^\s{_UNSEEN}][^{_UNSEEN}]*$", min_length=1, max_length=100)
]


def _once_each(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    if len(set(scopes)) < len(scopes):
        raise ValueError("a scope stands in this list twice")
    return scopes


Scopes = Annotated[
    tuple[Scope, ...],
    Field(min_length=1, max_length=len(Scope), json_schema_extra={"uniqueItems": True}),
    AfterValidator(_once_each),
]


class CreateApiKey(RequestBody):
    """Make a key for a machine."""

    name: Annotated[KeyName, Field(examples=["warehouse importer"])]
    scopes: Scopes
    expires_at: Moment | None = None


class ApiKeyView(BaseModel):
    """A key as it is listed: `prefix` is how it begins; the rest of it is known to its holder alone."""

    id: str
    prefix: str
    name: str
    scopes: Sequence[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: "ApiKey") -> "ApiKeyView":
        return cls(
            id=key.id,
            prefix=key.prefix,
            name=key.name,
            scopes=sorted(key.scopes),
            created_by=key.created_by,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class NewApiKeyView(ApiKeyView):
    """A key that was just made. `key` is all of it, and is never shown again."""

    key: str

    @classmethod
    def made(cls, new: "NewApiKey") -> "NewApiKeyView":
        return cls(**ApiKeyView.of(new.key).model_dump(), key=new.secret.get_secret_value())


class StaffActionView(BaseModel):
    """What somebody of the staff did; without a `status`, how it ended was not heard of."""

    id: str
    actor: str
    method: str
    route: str
    path: str
    status: int | None
    address: str
    request_id: str
    trace_id: str
    noted_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, noted: "NotedAction") -> "StaffActionView":
        return cls(
            id=noted.id,
            status=noted.status,
            noted_at=noted.noted_at,
            ended_at=noted.ended_at,
            **noted.action.model_dump(),
        )
