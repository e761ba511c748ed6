"""What carts reads of the events that it hears."""

from contracts.events import Facts
from contracts.inventory import StockLine
from contracts.money import Money, Sku


class BoughtFacts(Facts):
    """An order that was confirmed: what it bought, and from which cart."""

    order_id: str
    cart_ref: str
    generation: int
    lines: tuple[StockLine, ...]


class StockFacts(Facts):
    """How many of a sku can be had."""

    sku: Sku
    available: int


class VariantFacts(Facts):
    sku: Sku
    price: Money


class ProductFacts(Facts):
    """All that a product sells."""

    product_id: str
    variants: tuple[VariantFacts, ...]


class PriceFacts(Facts):
    """One sku costs something else now."""

    product_id: str
    sku: Sku
    new_price: Money


class RemovedFacts(Facts):
    """These skus are sold no more."""

    product_id: str
    skus: tuple[Sku, ...]
