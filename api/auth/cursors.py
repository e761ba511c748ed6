"""Where a list of auth's that is ordered by time goes on."""

from datetime import UTC, datetime

from api.pages import InvalidCursor, decode_cursor, encode_cursor


def cursor_at(moment: datetime, item_id: str) -> str:
    return encode_cursor(moment.isoformat(), item_id)


def position_in(cursor: str | None) -> tuple[datetime, str] | None:
    """The moment and the id behind which the list goes on; anything that is not ours is refused."""
    position = decode_cursor(cursor, 2)
    if position is None:
        return None
    try:
        moment = datetime.fromisoformat(str(position[0])).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidCursor("this cursor belongs to another list") from error
    item_id = str(position[1])
    if "\x00" in item_id or not item_id.isascii():
        raise InvalidCursor("this cursor belongs to another list")
    return moment, item_id
