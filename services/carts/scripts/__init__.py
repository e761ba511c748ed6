"""The Lua scripts that read and change carts, each in one atomic step."""

import json
from pathlib import Path

from contracts.carts import CART_ABANDONED, CART_CHANGED, CART_MERGED, CART_SETTLED
from contracts.money import MAX_QUANTITY
from services.carts import keys, rules

NAMES = (
    "create",
    "read",
    "snapshot",
    "set_quantity",
    "reprice",
    "merge",
    "settle",
    "follow_stock",
    "follow_catalog",
    "tell_abandoned",
)
_SHARED = ("cart", "articles")
_FOLDER = Path(__file__).parent
_CONSTANTS: dict[str, str | int] = {
    "CART": keys.CART,
    "LINE_PREFIX": keys.LINE_PREFIX,
    "SETTLED": keys.SETTLED,
    "CUSTOMER": keys.CUSTOMER,
    "WATCHED": keys.WATCHED,
    "ARTICLE": keys.ARTICLE,
    "OUTBOX": keys.OUTBOX,
    "EVENT_FIELD": keys.EVENT_FIELD,
    "IDLE_SECONDS": keys.IDLE_SECONDS,
    "MAX_QUANTITY": MAX_QUANTITY,
    "MAX_LINES": rules.MAX_LINES,
    "DEFAULT_CURRENCY": rules.DEFAULT_CURRENCY,
    "CART_CHANGED": CART_CHANGED,
    "CART_MERGED": CART_MERGED,
    "CART_SETTLED": CART_SETTLED,
    "CART_ABANDONED": CART_ABANDONED,
}


def source_of(name: str) -> str:
    """A script's whole text: our constants, what all scripts share, then the script itself."""
    constants = [f"local {constant} = {json.dumps(value)}" for constant, value in _CONSTANTS.items()]
    parts = [(_FOLDER / f"{part}.lua").read_text() for part in (*_SHARED, name)]
    return "\n".join([*constants, *parts])
