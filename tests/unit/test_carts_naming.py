"""How carts are named: to those who may know, and to those who may not."""

import pytest

from contracts.carts import cart_ref_of
from contracts.errors import Unauthenticated
from services.carts.cart import MINE, NamedCart, new_cart_id


def test_mine_needs_somebody_to_belong_to() -> None:
    with pytest.raises(Unauthenticated):
        NamedCart(MINE, None)


def test_a_guest_may_name_a_cart_by_its_id() -> None:
    assert NamedCart("some-id", None).caller is None


def test_ids_carry_192_bits_and_differ() -> None:
    ids = {new_cart_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(cart_id) for cart_id in ids} == {32}


def test_the_store_knows_a_cart_by_its_ref_and_mine_by_nothing() -> None:
    cart_id = new_cart_id()
    assert NamedCart(cart_id, None).ref == cart_ref_of(cart_id)
    assert NamedCart(MINE, "somebody").ref is None
