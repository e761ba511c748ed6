"""Payments' routes."""

from fastapi import APIRouter

from api.caller import Staff
from api.payments.dependencies import Payments
from api.payments.views import PaymentView
from api.requests import PathId

router = APIRouter(prefix="/v1/admin/payments", tags=["payments"])


@router.get("/{order_id}")
async def get_payment(order_id: PathId, payments: Payments, _: Staff) -> PaymentView:
    """An order's payment and every movement of money made for it."""
    return PaymentView.of(*await payments.payment_of(order_id))
