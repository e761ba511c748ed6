"""What carts' routes take and answer."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from api.requests import RequestBody
from contracts.carts import CartId
from contracts.money import MAX_QUANTITY, Money
from services.carts import rules

if TYPE_CHECKING:
    from services.carts.cart import Cart, Line


class LineView(BaseModel):
    """One line; what stands there only sometimes is news for the buyer.

    `available` is false when it is no longer sold or fewer can be had than are wanted: `available_quantity`.
    """

    sku: str
    title: str
    quantity: int
    unit_price: Money
    line_total: Money
    price_changed: bool | None = None
    available: bool | None = None
    available_quantity: int | None = None

    @classmethod
    def of(cls, line: "Line") -> "LineView":
        available = 0 if line.gone else line.available
        return cls(
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            unit_price=line.unit_price,
            line_total=rules.line_total(line),
            price_changed=True if line.price_changed else None,
            available=False if available is not None else None,
            available_quantity=available,
        )


class CartView(BaseModel):
    """A cart as its buyer sees it."""

    id: str
    version: int
    items: list[LineView]
    total: Money

    @classmethod
    def of(cls, cart: "Cart") -> "CartView":
        return cls(
            id=cart.id,
            version=cart.version,
            items=[LineView.of(line) for line in cart.lines],
            total=rules.cart_total(cart),
        )


class NewCart(RequestBody):
    """A new cart has nothing to say yet."""


class SetQuantity(RequestBody):
    quantity: Annotated[int, Field(strict=True, ge=0, le=MAX_QUANTITY)]


class MergeCart(RequestBody):
    cart_id: CartId
