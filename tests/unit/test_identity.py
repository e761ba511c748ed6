"""The gateway's word about a caller: nobody else can give it, change it or keep it."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Kind
from contracts.identity import Identity, Role
from runtime.identity import LIFETIME_SECONDS, IdentitySigner, InvalidIdentity

SIGNER = IdentitySigner("secret")
NOW = 1_000_000.0
ADA = Identity(subject="ada", roles=frozenset({Role.CUSTOMER}), session="s1")


@pytest.mark.parametrize(
    "identity",
    [ADA, Identity(subject="größe\n"), Identity(subject="root", roles=frozenset(Role), session=None)],
)
def test_what_was_signed_is_read_back(identity: Identity) -> None:
    assert SIGNER.verify(SIGNER.sign(identity)) == identity


def test_another_secrets_word_is_refused() -> None:
    with pytest.raises(InvalidIdentity) as refused:
        SIGNER.verify(IdentitySigner("another secret").sign(ADA))
    assert (refused.value.code, refused.value.kind) == ("auth.identity_invalid", Kind.UNAUTHENTICATED)


def test_a_changed_word_is_refused() -> None:
    payload, _, mac = SIGNER.sign(ADA).partition(".")
    claims = json.loads(base64.urlsafe_b64decode(payload)) | {"roles": ["admin"]}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    with pytest.raises(InvalidIdentity):
        SIGNER.verify(f"{forged}.{mac}")


@given(st.integers(0, 300), st.characters(max_codepoint=0xFF))
def test_no_character_can_be_exchanged(position: int, other: str) -> None:
    header = SIGNER.sign(ADA)
    at = position % len(header)
    changed = header[:at] + other + header[at + 1 :]
    if changed != header:
        with pytest.raises(InvalidIdentity):
            SIGNER.verify(changed)


@pytest.mark.parametrize("header", ["", ".", "a", "a.b", "ä.ö", "." * 10_000, "\x00.\x00"])
def test_nonsense_is_refused(header: str) -> None:
    with pytest.raises(InvalidIdentity):
        SIGNER.verify(header)


def test_a_word_holds_for_its_lifetime_and_no_longer() -> None:
    header = SIGNER.sign(ADA, now=NOW)
    assert SIGNER.verify(header, now=NOW + LIFETIME_SECONDS) == ADA
    with pytest.raises(InvalidIdentity, match="expired"):
        SIGNER.verify(header, now=NOW + LIFETIME_SECONDS + 1)


@pytest.mark.parametrize(
    ("roles", "is_staff"),
    [
        (frozenset(), False),
        ({Role.CUSTOMER}, False),
        ({Role.STAFF}, True),
        ({Role.ADMIN}, True),
        ({Role.CUSTOMER, Role.STAFF}, True),
    ],
)
def test_admins_may_do_what_staff_may(roles: set[Role], is_staff: bool) -> None:
    assert Identity(subject="x", roles=frozenset(roles)).is_staff is is_staff
