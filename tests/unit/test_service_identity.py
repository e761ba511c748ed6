"""The word of one process of ours to another: nobody else can give it, and it opens one door for a minute."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Kind
from runtime.service_identity import LIFETIME_SECONDS, ServiceProof, UnknownService

CARTS = ServiceProof("secret", "carts")
PRODUCTS = ServiceProof("secret", "products")
NOW = 1_000_000.0


def test_the_listener_learns_who_calls() -> None:
    assert PRODUCTS.caller(CARTS.for_listener("products")) == "carts"


def test_a_word_with_another_secret_is_refused() -> None:
    with pytest.raises(UnknownService) as refused:
        PRODUCTS.caller(ServiceProof("a guess", "carts").for_listener("products"))
    assert (refused.value.code, refused.value.kind) == ("auth.service_invalid", Kind.UNAUTHENTICATED)


def test_a_word_meant_for_another_is_refused() -> None:
    with pytest.raises(UnknownService, match="meant for another"):
        PRODUCTS.caller(CARTS.for_listener("orders"))


def test_a_word_holds_for_its_lifetime_and_no_longer() -> None:
    word = CARTS.for_listener("products", now=NOW)
    assert PRODUCTS.caller(word, now=NOW + LIFETIME_SECONDS) == "carts"
    with pytest.raises(UnknownService, match="expired"):
        PRODUCTS.caller(word, now=NOW + LIFETIME_SECONDS + 1)


def test_a_changed_word_is_refused() -> None:
    payload, _, mac = CARTS.for_listener("products").partition(".")
    claims = json.loads(base64.urlsafe_b64decode(payload)) | {"from": "gateway"}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    with pytest.raises(UnknownService):
        PRODUCTS.caller(f"{forged}.{mac}")


@given(st.integers(0, 300), st.characters(max_codepoint=0xFF))
def test_no_character_can_be_exchanged(position: int, other: str) -> None:
    word = CARTS.for_listener("products")
    at = position % len(word)
    changed = word[:at] + other + word[at + 1 :]
    if changed != word:
        with pytest.raises(UnknownService):
            PRODUCTS.caller(changed)


@pytest.mark.parametrize("header", ["", ".", "a", "a.b", "ä.ö", "." * 10_000, "\x00.\x00"])
def test_nonsense_is_refused(header: str) -> None:
    with pytest.raises(UnknownService):
        PRODUCTS.caller(header)
