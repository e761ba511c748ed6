"""How products are found and in which order: pure, and the same on every server."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.products.product import Product

# Counted lists only go this deep: who looks further should ask for more words.
MAX_RELEVANT = 1_000

_WORD = re.compile(r"[^\W_]+")
# What stands in a title says more about a product than what its description mentions.
_TITLE_WEIGHT = 3
# Lower than every character that a title may hold: "Lamp" comes before "Lamp Shade".
_SEPARATOR = "\t"
_TITLE_KEY_LENGTH = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Position = str | int


class Sort(StrEnum):
    PRICE = "price"
    PRICE_DESCENDING = "-price"
    TITLE = "title"
    NEWEST = "-created_at"
    RELEVANCE = "relevance"


@dataclass(frozen=True)
class Query:
    """Which products, in which order, from where on; prices are those of a product's cheapest variant.

    `after` is the sort key of the last product seen, so that a list stays whole while products are added;
    by relevance, which changes with every product that is added, it is how many have been seen.
    """

    sort: Sort
    limit: int
    words: tuple[str, ...] | None = None
    category: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    after: Position | None = None


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text in the one form that a search compares: no case, accent or plural."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(character)
    )
    return tuple(_singular(word) for word in _WORD.findall(plain))


def _singular(word: str) -> str:
    """Near enough to English for a word and its plural to meet."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes", "zes")) else word[:-1]


def words_of(product: Product) -> tuple[str, ...]:
    """All words that find a product."""
    variants = " ".join(f"{variant.title} {variant.sku}" for variant in product.variants)
    rest = words_in(f"{product.category} {variants} {product.description}")
    return words_in(product.title) * _TITLE_WEIGHT + rest


def price_key(product: Product) -> str:
    return _key(f"{product.min_price:012d}", product)


def title_key(product: Product) -> str:
    """Sorts without regard to case; titles that are alike for that long sort by id."""
    return _key(product.title.casefold()[:_TITLE_KEY_LENGTH], product)


def created_key(product: Product) -> str:
    return _key(f"{(product.created_at - _EPOCH) // timedelta(milliseconds=1):015d}", product)


def _key(value: str, product: Product) -> str:
    # The mark in front: what begins like a date, the embedded server would compare as one.
    return f"={value}{_SEPARATOR}{product.id}"


_KEYS = {
    Sort.PRICE: price_key,
    Sort.PRICE_DESCENDING: price_key,
    Sort.TITLE: title_key,
    Sort.NEWEST: created_key,
}


def next_position(query: Query, page: list[Product]) -> Position | None:
    """Where the page after this full one starts."""
    if query.sort is not Sort.RELEVANCE:
        return _KEYS[query.sort](page[-1])
    seen = int(query.after or 0) + len(page)
    return seen if seen < MAX_RELEVANT else None
