"""Cursors of the product list: each belongs to one order, and is refused in another."""

from api.pages import InvalidCursor, decode_cursor, encode_cursor
from services.products.search import MAX_RELEVANT, Position, Sort


def cursor_at(sort: Sort, position: Position | None) -> str | None:
    return encode_cursor(sort, position) if position is not None else None


def position_in(cursor: str | None, sort: Sort) -> Position | None:
    """Where a page starts; a cursor of another order, or one that we never gave, is refused."""
    decoded = decode_cursor(cursor, 2)
    if decoded is None:
        return None
    order, position = decoded
    if order != sort:
        raise InvalidCursor("this cursor belongs to a list in another order")
    if sort is Sort.RELEVANCE:
        if not isinstance(position, int) or not 0 < position < MAX_RELEVANT:
            raise InvalidCursor("this cursor is not one of ours")
    elif not isinstance(position, str):
        raise InvalidCursor("this cursor is not one of ours")
    return position
