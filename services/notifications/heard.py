"""What notifications reads of the events that it hears; the bases are what a letter needs of them later."""

from datetime import datetime

from contracts.events import Facts
from contracts.money import Money


class Ending(Facts):
    """Why an order came to what it is."""

    reason: str | None = None


class OrderFacts(Ending):
    order_id: str
    customer_id: str | None = None


class Parcel(Facts):
    """Who carries it, and how to follow it."""

    carrier: str | None = None
    tracking: str | None = None


class ShipmentFacts(Parcel):
    order_id: str


class Nothing(Facts):
    """All that is needed is known elsewhere."""


class RegistrationFacts(Facts):
    user_id: str
    email: str


class Link(Facts):
    """The link that is mailed, by an id that opens nothing."""

    mail_id: str


class LinkFacts(Link):
    user_id: str


class Moment(Facts):
    """When it happened."""

    changed_at: datetime


class PasswordFacts(Moment):
    user_id: str


class CartLineFacts(Facts):
    title: str
    quantity: int
    unit_price: Money

    @property
    def line_total(self) -> Money:
        return self.unit_price.times(self.quantity)


class Cart(Facts):
    """What lies in it."""

    lines: tuple[CartLineFacts, ...]


class CartFacts(Cart):
    owner: str | None = None
