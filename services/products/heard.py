"""What products reads of the events that it hears."""

from contracts.events import Facts
from contracts.money import Sku


class StockFacts(Facts):
    """How many of a sku can be had."""

    sku: Sku
    available: int
