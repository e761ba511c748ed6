"""Orders to test with."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from contracts.money import Money
from contracts.orders import OrderState
from services.orders.order import Order, OrderLine, ShippingAddress

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMAIL = "ada@example.com"
ADDRESS = ShippingAddress(
    name="Ada Lovelace", line1="1 Engine Street", city="London", postal_code="N1", country="GB"
)


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def order_line(sku: str = "MUG", quantity: int = 2, price: Money | None = None) -> OrderLine:
    return OrderLine(sku=sku, title=f"Title of {sku}", quantity=quantity, unit_price=price or euros(500))


def new_order(**changes: Any) -> Order:
    """A pending order of a cart of its own, as the intake makes it."""
    order = Order(
        id=uuid4().hex,
        customer_id=f"user-{uuid4()}",
        cart_ref=uuid4().hex,
        generation=0,
        email=EMAIL,
        shipping_address=ADDRESS,
        lines=(order_line(),),
        total=euros(1000),
        payment_token="tok_ok",
        state=OrderState.PENDING,
        refusal=None,
        steps=(),
        operator_note=None,
        payment_state="pending",
        fulfilment_state="none",
        sequence=1,
        traceparent=None,
        created_at=NOON,
        ended_at=None,
    )
    return replace(order, **changes)
