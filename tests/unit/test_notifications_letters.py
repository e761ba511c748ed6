"""What is written to buyers."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from jinja2 import UndefinedError

from contracts.events import Facts
from contracts.money import Money
from contracts.orders import BoughtLine, OrderContact
from services.notifications.heard import (
    Cart,
    CartLineFacts,
    Ending,
    Link,
    Moment,
    Nothing,
    Parcel,
)
from services.notifications.letters import FACTS_OF, TEMPLATES, Letter, Letters, OpenLink, Recipient
from services.notifications.message import NOTIFICATION_HEADER, mail_of
from services.notifications.notification import Notification
from services.notifications.rules import Template

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LETTERS = Letters()
MOKA = Money(amount=3490, currency="EUR")
ORDER = OrderContact(
    email="ada@example.com",
    name="Ada <b>Lovelace</b>",
    lines=(
        BoughtLine(title="Moka & more", quantity=2, line_total=MOKA.times(2)),
        BoughtLine(title="Cup", quantity=1, line_total=Money(amount=980, currency="EUR")),
    ),
    total=Money(amount=7960, currency="EUR"),
)
LINK = OpenLink("https://micromart.example/reset-password#token=m-1.s-1", NOON)
BUYER = Recipient(ORDER.email, ORDER.name, ORDER, LINK)
FACTS: dict[Template, Facts] = {
    Template.ORDER_CONFIRMED: Nothing(),
    Template.ORDER_REJECTED: Ending(reason="payments.declined"),
    Template.ORDER_CANCELLED: Ending(reason=None),
    Template.ORDER_SHIPPED: Parcel(carrier="DHL", tracking="JJD0001"),
    Template.WELCOME: Nothing(),
    Template.RESET_PASSWORD: Link(mail_id="m-1"),
    Template.PASSWORD_CHANGED: Moment(changed_at=NOON),
    Template.VERIFY_EMAIL: Link(mail_id="m-1"),
    Template.CART_REMINDER: Cart(lines=(CartLineFacts(title="Moka & more", quantity=2, unit_price=MOKA),)),
}
SUBJECTS = {
    Template.ORDER_CONFIRMED: "Thank you for your order",
    Template.ORDER_REJECTED: "Your order could not be completed",
    Template.ORDER_CANCELLED: "Your order is cancelled",
    Template.ORDER_SHIPPED: "Your parcel is on its way",
    Template.WELCOME: "Welcome to MicroMart",
    Template.CART_REMINDER: "Your cart is waiting",
    Template.RESET_PASSWORD: "Set a new password",
    Template.PASSWORD_CHANGED: "Your password was changed",
    Template.VERIFY_EMAIL: "Please confirm your address",
}
ABOUT_ORDERS = [template for template in Template if template.startswith("order_")]

of_every_template = pytest.mark.parametrize("template", Template)


def letter(template: Template, facts: Facts | None = None, recipient: Recipient = BUYER) -> Letter:
    about_order = template in ABOUT_ORDERS
    reader = recipient if about_order else replace(recipient, order=None)
    return LETTERS.write(template, facts or FACTS[template], reader, "order-1" if about_order else None)


def mail(template: Template, recipient: Recipient = BUYER) -> EmailMessage:
    notification = Notification(
        id="n-1",
        template=template,
        order_id="order-1",
        user_id=None,
        facts={},
        message_id="<n-1@micromart.example>",
        created_at=NOON,
    )
    return mail_of(
        notification,
        letter(template, recipient=recipient),
        recipient,
        sender="MicroMart <shop@micromart.example>",
        now=NOON,
    )


def test_there_are_two_files_for_every_template() -> None:
    for template in Template:
        assert (TEMPLATES / f"{template}.txt.j2").is_file()
        assert (TEMPLATES / f"{template}.html.j2").is_file()
    assert set(FACTS_OF) == set(Template)


@of_every_template
def test_a_letter_has_its_subject_and_greets_in_both_forms(template: Template) -> None:
    written = letter(template)
    assert written.subject == SUBJECTS[template]
    assert written.text.startswith("Hello Ada <b>Lovelace</b>,\n")
    assert "<p>Hello Ada &lt;b&gt;Lovelace&lt;/b&gt;,</p>" in written.html


@of_every_template
def test_nobody_is_called_by_a_name_that_is_not_known(template: Template) -> None:
    written = letter(template, recipient=Recipient("ada@example.com", None, ORDER, LINK))
    assert written.text.startswith("Hello,\n")
    assert "<p>Hello,</p>" in written.html


@pytest.mark.parametrize("template", ABOUT_ORDERS)
def test_what_was_ordered_is_listed(template: Template) -> None:
    written = letter(template)
    assert "  2 × Moka & more: €69.80\n  1 × Cup: €9.80\n" in written.text
    assert "Moka &amp; more" in written.html
    assert "€69.80" in written.html
    assert "order-1" in written.text


def test_a_confirmation_tells_the_total() -> None:
    written = letter(Template.ORDER_CONFIRMED)
    assert "Total: €79.60" in written.text
    assert "€79.60" in written.html


def test_a_rejection_says_why_and_that_nothing_was_charged() -> None:
    written = letter(Template.ORDER_REJECTED)
    for form in (written.text, written.html):
        assert "nothing was charged" in form
        assert "Your bank did not approve the payment." in form


def test_a_reason_that_we_have_no_words_for_is_left_out() -> None:
    written = letter(Template.ORDER_REJECTED, Ending(reason="warehouse.on_fire"))
    assert "warehouse" not in written.text + written.html


def test_a_parcel_is_told_with_its_tracking_number() -> None:
    written = letter(Template.ORDER_SHIPPED)
    assert "with DHL.\nIts tracking number is JJD0001.\n" in written.text
    assert "JJD0001" in written.html


def test_a_parcel_without_one_is_told_too() -> None:
    written = letter(Template.ORDER_SHIPPED, Parcel())
    assert "your parcel is on its way.\n" in written.text


def test_a_cart_is_listed_with_its_prices() -> None:
    written = letter(Template.CART_REMINDER)
    assert "  2 × Moka & more: €69.80\n" in written.text


@pytest.mark.parametrize("template", [Template.RESET_PASSWORD, Template.VERIFY_EMAIL])
def test_a_link_is_told_with_its_end(template: Template) -> None:
    written = letter(template)
    assert f"\n{LINK.url}\n" in written.text
    assert f'href="{LINK.url}"' in written.html
    for form in (written.text, written.html):
        assert "22 November 2026, 12:00 UTC" in form


def test_a_links_secret_does_not_show_when_printed() -> None:
    assert "s-1" not in repr(BUYER)


def test_a_letter_that_is_not_given_what_it_uses_is_not_written() -> None:
    with pytest.raises(UndefinedError):
        letter(Template.ORDER_SHIPPED, Nothing())


@of_every_template
def test_a_mail_is_one_message_in_two_forms(template: Template) -> None:
    received = message_from_bytes(mail(template).as_bytes(), EmailMessage, policy=SMTP)
    assert received["Message-ID"] == "<n-1@micromart.example>"
    assert received[NOTIFICATION_HEADER] == "n-1"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Subject"] == SUBJECTS[template]
    assert received["To"].addresses[0].addr_spec == "ada@example.com"
    assert received["Date"].datetime == NOON
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]


def test_a_name_cannot_write_headers() -> None:
    sly = Recipient("ada@example.com", "Ada\r\nBcc: eve@example.com", ORDER)
    received = message_from_bytes(mail(Template.ORDER_CONFIRMED, sly).as_bytes(), EmailMessage, policy=SMTP)
    assert received["Bcc"] is None
    assert len(received["To"].addresses) == 1
