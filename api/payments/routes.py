"""Payments' routes."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.caller import Staff
from api.payments.dependencies import Payments
from api.payments.views import PaymentView

router = APIRouter(prefix="/v1/admin/payments", tags=["payments"])


@router.get("/{order_id}")
async def get_payment(
    order_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")], payments: Payments, _: Staff
) -> PaymentView:
    """An order's payment and every movement of money made for it."""
    return PaymentView.of(*await payments.payment_of(order_id))
