"""Carts' decisions, pure.

`merged` and `settled` are carried out by the scripts of the same names, beside the data and in one step; what
stands here is what they must agree with, and the store's tests hold them to it.
"""

from collections.abc import Iterable, Mapping

from contracts.inventory import StockLine
from contracts.money import MAX_QUANTITY, Money, total
from contracts.products import MAX_QUOTED_SKUS
from services.carts.cart import Cart, Line
from services.carts.errors import PriceTooHigh

# A checkout asks for the prices of a whole cart at once.
MAX_LINES = MAX_QUOTED_SKUS
# With it, the total of a full cart stays below 2**53, exact in Money, in JSON and in Lua.
MAX_UNIT_PRICE = 2**53 // (MAX_QUANTITY * MAX_LINES)
DEFAULT_CURRENCY = "EUR"


def line_total(line: Line) -> Money:
    return line.unit_price.times(line.quantity)


def cart_total(cart: Cart) -> Money:
    return total((line_total(line) for line in cart.lines), cart.currency)


def checked_price(sku: str, price: Money) -> Money:
    """The price, or a refusal of one that no cart can add up."""
    if not 0 <= price.amount <= MAX_UNIT_PRICE:
        raise PriceTooHigh(f"{sku} costs {price}, which is more than a cart can hold")
    return price


def units(lines: Iterable[StockLine]) -> dict[str, int]:
    """Units by sku; a sku that stands there twice is added up."""
    counted: dict[str, int] = {}
    for line in lines:
        counted[line.sku] = counted.get(line.sku, 0) + line.quantity
    return counted


def merged(mine: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Quantities by sku added up, each at most MAX_QUANTITY."""
    return {
        sku: min(MAX_QUANTITY, mine.get(sku, 0) + other.get(sku, 0)) for sku in mine.keys() | other.keys()
    }


def settled(held: Mapping[str, int], bought: Mapping[str, int]) -> dict[str, int]:
    """What stays in a cart after a purchase; a line with nothing left is gone."""
    left = {sku: quantity - bought.get(sku, 0) for sku, quantity in held.items()}
    return {sku: quantity for sku, quantity in left.items() if quantity > 0}
