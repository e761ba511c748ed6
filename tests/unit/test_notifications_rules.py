"""Notifications' decisions."""

from uuid import UUID

import pytest

from contracts.checkout import EXPIRED
from contracts.money import Money
from services.notifications import rules
from services.notifications.errors import Bounced

EVENT = UUID("6a1f5f0e-6d0c-4f5e-9a63-3f1c2f5c7b11")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (3490, "EUR", "€34.90"),
        (5, "GBP", "£0.05"),
        (123_456_789, "USD", "$1,234,567.89"),
        (-100, "EUR", "-€1.00"),
        (3490, "CHF", "34.90 CHF"),
    ],
)
def test_money_is_written_as_a_buyer_reads_it(amount: int, currency: str, text: str) -> None:
    assert rules.money_text(Money(amount=amount, currency=currency)) == text


def test_an_event_makes_one_message_however_often_it_is_heard() -> None:
    first = rules.notification_id_of("notifications.tell_buyer", EVENT)
    assert rules.notification_id_of("notifications.tell_buyer", EVENT) == first
    assert rules.notification_id_of("notifications.welcome", EVENT) != first


@pytest.mark.parametrize(
    ("mail_from", "domain"),
    [
        ("MicroMart <shop@micromart.example>", "micromart.example"),
        ("shop@micromart.example", "micromart.example"),
        ("MicroMart", None),
        ("", None),
    ],
)
def test_the_domain_that_we_write_from(mail_from: str, domain: str | None) -> None:
    assert rules.domain_of(mail_from) == domain


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("ada@example.com", "ada@example.com"),
        ("ada@bücher.de", "ada@xn--bcher-kva.de"),
        ("jürgen@example.com", "jürgen@example.com"),
        ("ada@rehearsal.test", "ada@rehearsal.test"),
    ],
)
def test_an_address_is_sent_as_smtp_takes_it(address: str, taken: str) -> None:
    assert rules.deliverable(address) == taken


@pytest.mark.parametrize("address", ["", "ada", "ada@", "a@b\r\nBcc: eve@example.com", "a b@example.com"])
def test_what_is_no_address_bounces_and_is_not_told(address: str) -> None:
    with pytest.raises(Bounced) as bounced:
        rules.deliverable(address)
    assert bounced.value.detail == "this is no mail address"


def test_a_header_is_one_line() -> None:
    assert rules.one_line("Ada\r\nBcc: eve@example.com\x00  \u2028x") == "Ada Bcc: eve@example.com x"


def test_a_reason_is_told_where_there_is_something_to_explain() -> None:
    assert rules.reason_text("payments.declined") == "Your bank did not approve the payment."
    assert rules.reason_text(EXPIRED.code) == "The payment was not completed in time."
    assert rules.reason_text("something.new") is None
    assert rules.reason_text(None) is None


@pytest.mark.parametrize(
    "name", ["Ada", "Ada Lovelace-King", "J. R. R. Tolkien", "李小龙", "Sammy Davis Jr.", None]
)
def test_somebody_is_greeted_by_their_name(name: str | None) -> None:
    assert rules.name_to_greet(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Winner! Claim it at https://evil.example/now",
        "see evil.example",
        "www.evil.example",
        "write to eve@evil",
        "call 0900 1234",
        "A" * 61,
    ],
)
def test_nobody_is_greeted_by_what_is_no_name(name: str) -> None:
    assert rules.name_to_greet(name) is None
