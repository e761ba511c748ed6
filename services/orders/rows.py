"""What a row of orders' tables is read as."""

from collections.abc import Iterable

from sqlalchemy import RowMapping

from contracts.checkout import Step
from contracts.errors import Refusal
from contracts.money import Money
from contracts.orders import CancellationState, OrderState, RefundState
from services.orders.order import KeyRecord, Order, OrderLine, ShippingAddress
from services.orders.refund import Refund


def order_in(row: RowMapping, lines: Iterable[RowMapping]) -> Order:
    currency, cancellation = row["currency"], row["cancellation_state"]
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        cart_ref=row["cart_ref"],
        generation=row["generation"],
        email=row["email"],
        shipping_address=ShippingAddress.model_validate(row["shipping_address"]),
        lines=tuple(
            OrderLine(
                sku=line["sku"],
                title=line["title"],
                quantity=line["quantity"],
                unit_price=Money(amount=line["unit_price"], currency=currency),
            )
            for line in lines
        ),
        total=Money(amount=row["total"], currency=currency),
        payment_token=row["payment_token"],
        state=OrderState(row["state"]),
        refusal=Refusal.model_validate(row["refusal"]) if row["refusal"] else None,
        steps=steps_in(row["steps"]),
        operator_note=row["operator_note"],
        payment_state=row["payment_state"],
        fulfilment_state=row["fulfilment_state"],
        sequence=row["sequence"],
        traceparent=row["traceparent"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        payment_sequence=row["payment_sequence"],
        captured=row["captured"],
        refunded=row["refunded"],
        action_url=row["action_url"],
        fulfilment_sequence=row["fulfilment_sequence"],
        cancellation_state=CancellationState(cancellation) if cancellation is not None else None,
        cancellation_reason=row["cancellation_reason"],
        cancellation_attempt=row["cancellation_attempt"],
    )


def steps_in(stored: Iterable[object]) -> tuple[Step, ...]:
    return tuple(Step.model_validate(step) for step in stored)


def key_in(row: RowMapping) -> KeyRecord:
    return KeyRecord(
        principal=row["principal"],
        key=row["key"],
        fingerprint=row["fingerprint"],
        order_id=row["order_id"],
        status=row["status"],
        body=row["body"],
    )


def refund_in(row: RowMapping) -> Refund:
    return Refund(
        id=row["id"],
        order_id=row["order_id"],
        amount=Money(amount=row["amount"], currency=row["currency"]),
        reason=row["reason"],
        requested_by=row["requested_by"],
        state=RefundState(row["state"]),
        refusal=Refusal.model_validate(row["refusal"]) if row["refusal"] else None,
        operator_note=row["operator_note"],
        created_at=row["created_at"],
        settled_at=row["settled_at"],
    )
