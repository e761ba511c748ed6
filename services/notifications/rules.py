"""Notifications' decisions, pure."""

import re
from datetime import UTC, datetime
from email.utils import parseaddr
from enum import StrEnum
from uuid import UUID, uuid5

from pydantic import SecretStr

from contracts.auth import EMAIL_VERIFICATION_REQUESTED, PASSWORD_RESET_REQUESTED
from contracts.checkout import CANCELLED, EXPIRED
from contracts.email_address import read_email
from contracts.money import Money
from contracts.orders import ORDER_CANCELLED, ORDER_CONFIRMED, ORDER_REJECTED
from services.notifications.errors import Bounced


class Template(StrEnum):
    """What is written; each is a pair of files in templates/."""

    ORDER_CONFIRMED = "order_confirmed"
    ORDER_REJECTED = "order_rejected"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_SHIPPED = "order_shipped"
    WELCOME = "welcome"
    CART_REMINDER = "cart_reminder"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a letter's name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a letter's name
    VERIFY_EMAIL = "verify_email"


ABOUT_ORDERS = {
    ORDER_CONFIRMED: Template.ORDER_CONFIRMED,
    ORDER_REJECTED: Template.ORDER_REJECTED,
    ORDER_CANCELLED: Template.ORDER_CANCELLED,
}

ABOUT_LINKS = {
    PASSWORD_RESET_REQUESTED: Template.RESET_PASSWORD,
    EMAIL_VERIFICATION_REQUESTED: Template.VERIFY_EMAIL,
}
# The shop's pages that a link opens; its secret stands behind the #, which no server and no Referer is told.
_PAGES = {Template.RESET_PASSWORD: "reset-password", Template.VERIFY_EMAIL: "verify-email"}

_LONGEST_NAME = 60
# What a mail program makes a link of, or dials.
_LINKED = re.compile(r"[/:@\\]|\w\.\w{2,}|\d{4}")

_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
_REASONS = {
    "payments.declined": "Your bank did not approve the payment.",
    "inventory.out_of_stock": "Something in it was sold out in the very moment in which you ordered.",
    CANCELLED.code: "It was cancelled before it was confirmed.",
    EXPIRED.code: "The payment was not completed in time.",
}


def notification_id_of(handler: str, event_id: UUID) -> str:
    """The same for an event however often it is heard, so that its message is the same message."""
    return uuid5(event_id, handler).hex


def message_id_of(notification_id: str, domain: str) -> str:
    """The Message-ID by which a mail program knows a message that it has got twice."""
    return f"<{notification_id}@{domain}>"


def domain_of(mail_from: str) -> str | None:
    """The domain that we write from; None where the setting holds no address."""
    _, at, domain = parseaddr(mail_from)[1].rpartition("@")
    return domain or None if at else None


def deliverable(address: str) -> str:
    """The address as SMTP takes it, its domain in ASCII; Bounced where it is none."""
    found = read_email(address)
    if found is None:
        raise Bounced("this is no mail address")
    return found.ascii_email or found.normalized


def reason_text(code: str | None) -> str | None:
    """Why an order ended, in a sentence for its buyer; None where there is nothing to explain."""
    return _REASONS.get(code) if code is not None else None


def money_text(money: Money) -> str:
    """An amount as a buyer reads it: €1,234.50."""
    sign, units = ("-", -money.amount) if money.amount < 0 else ("", money.amount)
    amount = f"{units // 100:,}.{units % 100:02d}"
    symbol = _SYMBOLS.get(money.currency)
    return f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount} {money.currency}"


def link_to(public_url: str, template: Template, token: SecretStr) -> str:
    """The page that the reader of a mailed link gets to."""
    return f"{public_url.rstrip('/')}/{_PAGES[template]}#token={token.get_secret_value()}"


def moment_text(moment: datetime) -> str:
    """A time as a reader takes it in: 22 November 2026, 09:05 UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def name_to_greet(name: str | None) -> str | None:
    """The name, unless it is long or a link: then it is somebody else's message, which we are to deliver."""
    if name is None or len(name) > _LONGEST_NAME or _LINKED.search(name):
        return None
    return name


def one_line(text: str) -> str:
    """Free text as a header can hold it."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
