"""What the orders API takes and answers."""

import operator
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, Field

from api.requests import RequestBody
from contracts.carts import CartId
from contracts.checkout import CheckoutState, Step
from contracts.country import Country
from contracts.email_address import EmailAddress
from contracts.money import Money
from contracts.orders import CancellationState, OrderState, RefundState
from contracts.text import Line, OptionalLine
from services.orders.order import PlaceOrder, ShippingAddress

if TYPE_CHECKING:
    from services.orders.order import Order, OrderLine
    from services.orders.refund import Refund


def _is_none(value: object) -> bool:
    return value is None


class AddressBody(RequestBody):
    """Where the parcel goes."""

    name: Line
    line1: Line
    line2: OptionalLine = None
    city: Line
    postal_code: Annotated[Line, Field(max_length=20)]
    country: Country


class PaymentMethodBody(RequestBody):
    """The payment provider's token for the buyer's card; card data never reaches us."""

    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,255}$", examples=["tok_ok"])]


class PlaceCheckout(RequestBody):
    """Buy this cart."""

    cart_id: CartId
    email: EmailAddress
    shipping_address: AddressBody
    payment_method: PaymentMethodBody
    expected_total: Money | None = None

    def command(self) -> PlaceOrder:
        return PlaceOrder(
            cart_id=self.cart_id,
            email=self.email,
            shipping_address=ShippingAddress.model_validate(self.shipping_address.model_dump()),
            payment_token=self.payment_method.token,
            expected_total=self.expected_total,
        )


class RefundMoney(Money):
    """An amount to give back: more than nothing."""

    amount: int = Field(strict=True, ge=1, le=2**53)


class RefundBody(RequestBody):
    """Give this much back, in minor units or as money; without an amount, all that is left."""

    amount: Annotated[int, Field(strict=True, ge=1, le=2**53)] | RefundMoney | None = None
    reason: Line

    def amount_in(self, currency: str) -> Money | None:
        """The amount as money; a bare number is in the order's own currency."""
        if isinstance(self.amount, int):
            return Money(amount=self.amount, currency=currency)
        return Money(**self.amount.model_dump()) if self.amount is not None else None


class ResolveBody(RequestBody):
    """How something was settled by hand."""

    note: Line


class NextAction(BaseModel):
    """What the buyer has to do before the checkout can go on: open the URL."""

    type: Literal["redirect"] = "redirect"
    url: str


class CheckoutView(BaseModel):
    """A checkout, step by step; `access_token` is a guest's proof of it, to be sent as X-Order-Token."""

    id: str
    order_id: str
    state: CheckoutState
    steps: tuple[Step, ...]
    total: Money
    refusal: str | None = Field(
        default=None,
        exclude_if=_is_none,
        description="the code of what it ended with, if it was refused",
    )
    next_action: NextAction | None = Field(default=None, exclude_if=_is_none)
    temporal_url: str | None = Field(default=None, exclude_if=_is_none)
    access_token: str | None = Field(default=None, exclude_if=_is_none)

    @classmethod
    def of(cls, order: "Order", steps: tuple[Step, ...], *, temporal_url: str | None = None) -> Self:
        return cls(
            id=order.id,
            order_id=order.id,
            state=order.checkout_state,
            steps=steps,
            total=order.total,
            refusal=order.refusal.code if order.refusal else None,
            next_action=NextAction(url=order.action_url) if order.action_url else None,
            temporal_url=temporal_url,
        )


class OrderLineView(BaseModel):
    sku: str
    title: str
    quantity: int
    unit_price: Money
    line_total: Money

    @classmethod
    def of(cls, line: "OrderLine") -> Self:
        return cls(
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            unit_price=line.unit_price,
            line_total=line.line_total,
        )


class PartView(BaseModel):
    """How one side of the order stands."""

    state: str


class CancellationView(BaseModel):
    """How a wish to cancel a confirmed order stands; the reason is the code of why it was refused."""

    state: CancellationState
    reason: str | None = Field(default=None, exclude_if=_is_none)
    needs_operator: bool = Field(default=False, exclude_if=operator.not_)


class RefundView(BaseModel):
    """One refund; `refusal` says why it was not made, `needs_operator` is there while it keeps failing."""

    id: str
    order_id: str
    amount: Money
    state: RefundState
    reason: str
    refusal: str | None = Field(default=None, exclude_if=_is_none)
    needs_operator: bool = Field(default=False, exclude_if=operator.not_)
    created_at: datetime

    @classmethod
    def of(cls, refund: "Refund") -> Self:
        return cls(
            id=refund.id,
            order_id=refund.order_id,
            amount=refund.amount,
            state=refund.state,
            reason=refund.reason,
            refusal=refund.refusal.code if refund.refusal else None,
            needs_operator=refund.needs_operator,
            created_at=refund.created_at,
        )


class OrderView(BaseModel):
    """An order as its buyer sees it; `cancellation` is there once somebody asked for it."""

    id: str
    state: OrderState
    items: list[OrderLineView]
    total: Money
    payment: PartView
    fulfilment: PartView
    cancellation: CancellationView | None = Field(default=None, exclude_if=_is_none)
    refunds: list[RefundView]
    shipping_address: ShippingAddress
    email: str
    created_at: datetime

    @classmethod
    def of(cls, order: "Order", refunds: Iterable["Refund"]) -> Self:
        """The order with those of the refunds that are its own."""
        cancellation = order.wish_to_cancel
        return cls(
            id=order.id,
            state=order.state.public,
            items=[OrderLineView.of(line) for line in order.lines],
            total=order.total,
            payment=PartView(state=order.payment_state),
            fulfilment=PartView(state=order.fulfilment_state),
            cancellation=CancellationView(
                state=cancellation,
                reason=order.cancellation_reason,
                needs_operator=order.needs_operator,
            )
            if cancellation is not None
            else None,
            refunds=[RefundView.of(refund) for refund in refunds if refund.order_id == order.id],
            shipping_address=order.shipping_address,
            email=order.email,
            created_at=order.created_at,
        )
