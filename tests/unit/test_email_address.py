"""One address is one to all: who registers with it can buy with it and is written to."""

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.email_address import EmailAddress
from services.auth.rules import normalised_email
from services.notifications.errors import Bounced
from services.notifications.rules import deliverable

BUYERS = TypeAdapter(EmailAddress)


def takers(address: str) -> dict[str, bool]:
    """Who takes the address: of a new account, of a buyer, of whoever is written to."""
    taken = {"auth": normalised_email(address) is not None, "orders": True, "notifications": True}
    try:
        BUYERS.validate_python(address)
    except ValidationError:
        taken["orders"] = False
    try:
        deliverable(address)
    except Bounced:
        taken["notifications"] = False
    return taken


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        " ada@example.com ",
        "ada@rehearsal.test",
        "ada@test",
        "ada@bücher.de",
        "jürgen@example.com",
        f"{'a' * 65}@example.com",
    ],
)
def test_what_is_an_address_is_one_to_all(address: str) -> None:
    assert set(takers(address).values()) == {True}, takers(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@localhost",
        "ada@shop.invalid",
        "Ada <ada@example.com>",
        "a b@example.com",
        "ada@example.com, eve@example.com",
        "a@b\r\nBcc: eve@example.com",
        f"ada@{'x' * 250}.com",
    ],
)
def test_what_is_none_is_none_to_all(text: str) -> None:
    assert set(takers(text).values()) == {False}, takers(text)
