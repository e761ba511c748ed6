"""What carts is told, and what it says.

A guest's cart id is a bearer secret, so it never leaves the request that carries it: other services, workflow
histories, events and logs know a cart by its `cart_ref`, which is also what the store's keys are made of.
"""

import hashlib
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.events import EventData
from contracts.inventory import StockLine
from contracts.money import Currency, Money, Quantity, Sku

# A cart as a request names it: by its id, or as `mine`.
CartId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def cart_ref_of(cart_id: str) -> str:
    """The name of a cart that does not open it: 128 bits of the id's SHA-256, in hex."""
    return hashlib.sha256(cart_id.encode()).hexdigest()[:32]


class CartLine(BaseModel):
    """One line of a cart, with the price that the buyer saw."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    title: str
    quantity: Quantity
    unit_price: Money


class CartSnapshot(BaseModel):
    """A cart as it stood at one version; `generation` counts the purchases made from it."""

    model_config = ConfigDict(frozen=True)

    cart_ref: str
    owner: str | None
    version: int
    generation: int
    currency: Currency
    lines: tuple[CartLine, ...]


class Repricing(BaseModel):
    """Fresh prices for a cart's lines; a sku in `gone` is no longer sold."""

    model_config = ConfigDict(frozen=True)

    prices: dict[Sku, Money]
    gone: tuple[Sku, ...] = ()


class BoughtCart(BaseModel):
    """What an order bought, and from which cart in which generation."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    cart_ref: str
    generation: int
    lines: tuple[StockLine, ...]


class CartState(EventData):
    """All of a cart after a change, its `cart_ref` being the subject; an older sequence can be dropped."""

    owner: str | None
    version: int
    generation: int
    currency: Currency
    lines: tuple[CartLine, ...]


class CartChanged(CartState):
    """A line was put in, changed, taken out or repriced."""


class CartMerged(CartState):
    """Another cart was added to this one and is gone; `merged` is its `cart_ref`."""

    merged: str


class CartSettled(CartState):
    """What an order bought was taken out."""

    order_id: str


class CartAbandoned(CartState):
    """A signed-in customer's cart has not been touched for a while; `idle_since` is its last change."""

    idle_since: datetime


CART_CHANGED = "carts.cart_changed"
CART_MERGED = "carts.cart_merged"
CART_SETTLED = "carts.cart_settled"
CART_ABANDONED = "carts.abandoned"
