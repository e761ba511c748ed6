"""A cart, and how one is named."""

import secrets
from dataclasses import dataclass

from contracts.carts import CartLine, CartSnapshot, cart_ref_of
from contracts.errors import Unauthenticated
from contracts.money import Money

MINE = "mine"


@dataclass(frozen=True)
class NamedCart:
    """A cart as somebody names it: by its id, or `mine` for the cart of a signed-in customer."""

    name: str
    caller: str | None

    def __post_init__(self) -> None:
        if self.name == MINE and self.caller is None:
            raise Unauthenticated("sign in first")

    @property
    def ref(self) -> str | None:
        """What the store knows the cart by; None for `mine`, which only the store can look up."""
        return None if self.name == MINE else cart_ref_of(self.name)


@dataclass(frozen=True)
class Line:
    """So many units of one sku, at the price that the buyer saw; what changed since then is marked.

    `available` says how many can be had where that is fewer than wanted, as far as carts has heard.
    """

    sku: str
    title: str
    quantity: int
    unit_price: Money
    price_changed: bool = False
    gone: bool = False
    available: int | None = None


@dataclass(frozen=True)
class Cart:
    """A cart as it stands after the script that read it."""

    id: str
    owner: str | None
    currency: str
    version: int
    generation: int
    lines: tuple[Line, ...]

    def snapshot(self) -> CartSnapshot:
        return CartSnapshot(
            cart_ref=cart_ref_of(self.id),
            owner=self.owner,
            version=self.version,
            generation=self.generation,
            currency=self.currency,
            lines=tuple(
                CartLine(sku=line.sku, title=line.title, quantity=line.quantity, unit_price=line.unit_price)
                for line in self.lines
            ),
        )


def new_cart_id() -> str:
    """An id that nobody guesses: for a guest's cart it is the only key."""
    return secrets.token_urlsafe(24)
