import pytest

from api.pages import InvalidCursor, encode_cursor
from api.products.cursors import cursor_at, position_in
from services.products.search import MAX_RELEVANT, Sort


@pytest.mark.parametrize(("sort", "position"), [(Sort.TITLE, "moka\tprd_1"), (Sort.RELEVANCE, 40)])
def test_a_cursor_leads_back_to_its_position(sort: Sort, position: str | int) -> None:
    assert position_in(cursor_at(sort, position), sort) == position


def test_a_list_that_has_ended_has_no_cursor() -> None:
    assert cursor_at(Sort.PRICE, None) is None


def test_without_a_cursor_a_list_starts_at_its_beginning() -> None:
    assert position_in(None, Sort.PRICE) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        encode_cursor("-price", "x"),
        encode_cursor("price", 3),
        encode_cursor("price"),
        encode_cursor("price", "x", "y"),
        encode_cursor("price", "\ud800"),
    ],
)
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        position_in(cursor, Sort.PRICE)


@pytest.mark.parametrize("position", [-1, 0, MAX_RELEVANT, "3"])
def test_a_count_out_of_bounds_is_refused(position: str | int) -> None:
    with pytest.raises(InvalidCursor):
        position_in(encode_cursor("relevance", position), Sort.RELEVANCE)


def test_the_longest_cursor_fits_into_a_request() -> None:
    assert len(encode_cursor("title", "\U0001f600" * 50 + "\t" + "prd_" + "0" * 32)) <= 1_000
