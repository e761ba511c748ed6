"""Lists: `limit` and an opaque `cursor` in, `items` and `next_cursor` out."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from contracts.errors import DomainError, Kind

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=100)]
CursorParameter = Annotated[str | None, Query(max_length=1_000)]


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
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("this cursor is not one of ours") from error
    if not isinstance(position, list) or len(position) != length:
        raise InvalidCursor("this cursor belongs to another list")
    if not all(isinstance(part, (str, int)) for part in position):
        raise InvalidCursor("this cursor is not one of ours")
    return tuple(position)
