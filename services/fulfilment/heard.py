"""What fulfilment reads of what others say."""

from contracts.events import Facts
from contracts.inventory import StockLine


class OrderConfirmedFacts(Facts):
    """What goes into the parcel of which order."""

    order_id: str
    lines: tuple[StockLine, ...]
