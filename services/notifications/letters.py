"""What is written: a subject, a text and the same in HTML, from the templates beside this file."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from contracts.events import Facts
from contracts.orders import OrderContact
from services.notifications import rules
from services.notifications.heard import Cart, Ending, Link, Moment, Nothing, Parcel
from services.notifications.rules import Template

TEMPLATES = Path(__file__).parent / "templates"

# What each letter needs of the event that it is about; it is all that is kept of it.
FACTS_OF: dict[Template, type[Facts]] = {
    Template.ORDER_CONFIRMED: Nothing,
    Template.ORDER_REJECTED: Ending,
    Template.ORDER_CANCELLED: Ending,
    Template.ORDER_SHIPPED: Parcel,
    Template.WELCOME: Nothing,
    Template.CART_REMINDER: Cart,
    Template.RESET_PASSWORD: Link,
    Template.PASSWORD_CHANGED: Moment,
    Template.VERIFY_EMAIL: Link,
}


@dataclass(frozen=True)
class OpenLink:
    """A link that its reader alone is to know, and until when it opens."""

    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Recipient:
    """Who reads it; `order` and `link` are there where the letter is about one."""

    email: str
    name: str | None
    order: OrderContact | None = None
    link: OpenLink | None = None


@dataclass(frozen=True)
class Letter:
    subject: str
    text: str
    html: str


class Letters:
    """Writes letters; a template that uses what it was not given is a bug, and says so."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(enabled_extensions=("html.j2",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters |= {
            "money": rules.money_text,
            "reason": rules.reason_text,
            "moment": rules.moment_text,
        }

    def write(self, template: Template, facts: Facts, recipient: Recipient, order_id: str | None) -> Letter:
        """The letter; the first line of its text template is the subject."""
        known = {
            "name": rules.one_line(recipient.name or ""),
            "order": recipient.order,
            "link": recipient.link,
            "order_id": order_id,
            "facts": facts,
        }
        subject, _, text = self._templates.get_template(f"{template}.txt.j2").render(known).partition("\n")
        html = self._templates.get_template(f"{template}.html.j2").render(known, subject=subject)
        return Letter(rules.one_line(subject), text.strip() + "\n", html)
