"""What orders reads of what others say."""

from contracts.events import Facts
from contracts.fulfilment import ShipmentState


class ShipmentFacts(Facts):
    """How an order's parcel stands."""

    order_id: str
    state: ShipmentState


class PaymentFacts(Facts):
    """How an order's money stands, in minor units of the order's currency."""

    order_id: str
    captured: int
    refunded: int


class ReportFacts(Facts):
    """Whose payment the provider has told something about."""

    order_id: str
