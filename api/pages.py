"""Lists: `limit` and an opaque `cursor` in, `items` and `next_cursor` out."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field, StrictInt, StrictStr, TypeAdapter

from api.requests import ID_PATTERN
from contracts.errors import DomainError, Kind

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=100)]
CursorParameter = Annotated[str | None, Query(max_length=1_000)]
# Checked as a body is: what JSON can say is not always a text that a store can be asked for.
_POSITION: TypeAdapter[tuple[str | int, ...]] = TypeAdapter(tuple[StrictStr | StrictInt, ...])
_ID: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=ID_PATTERN)])


class InvalidCursor(DomainError):
    code = "request.invalid_cursor"
    kind = Kind.INVALID


class Page(BaseModel, Generic[Item]):
    items: Sequence[Item]
    next_cursor: str | None = None


def encode_cursor(*position: str | int) -> str:
    """An opaque cursor for the position of a list's last item."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, length: int) -> tuple[str | int, ...] | None:
    """The position inside a cursor of ours; anything else is refused."""
    if cursor is None:
        return None
    try:
        position = _POSITION.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise InvalidCursor("this cursor is not one of ours") from error
    if len(position) != length:
        raise InvalidCursor("this cursor belongs to another list")
    return position


def cursor_behind(moment: datetime, item_id: str) -> str:
    """The cursor of a list that is ordered by time."""
    return encode_cursor(moment.isoformat(), item_id)


def place_in_time(cursor: str | None) -> tuple[datetime, str] | None:
    """The moment and the id behind which such a list goes on; anything that is not ours is refused."""
    position = decode_cursor(cursor, 2)
    if position is None:
        return None
    try:
        moment = datetime.fromisoformat(str(position[0])).astimezone(UTC)
        return moment, _ID.validate_python(position[1])
    except (ValueError, OverflowError) as error:
        raise InvalidCursor("this cursor belongs to another list") from error
