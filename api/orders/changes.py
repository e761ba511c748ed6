"""The routes of what happens to an order after its checkout."""

from fastapi import APIRouter

from api.caller import Staff
from api.orders.dependencies import AnyVisitor, Changes, Desk, IdempotencyKey, documented_key
from api.orders.views import CheckoutView, OrderView, RefundBody, RefundView, ResolveBody
from api.requests import PathId
from contracts.checkout import Resolution
from services.orders import rules
from services.orders.refund import RefundRequest

router = APIRouter(tags=["orders"])


@router.post("/v1/orders/{order_id}/cancel", status_code=202)
async def cancel_order(order_id: PathId, changes: Changes, visitor: AnyVisitor) -> OrderView:
    """Cancel an order before it is shipped: money and stock go back. Safe to repeat."""
    order = await changes.cancel(order_id, visitor)
    return OrderView.of(order, await changes.refunds_of(order))


@router.post(
    "/v1/admin/orders/{order_id}/refund",
    status_code=202,
    openapi_extra=documented_key(required=False),
)
async def refund_order(
    order_id: PathId,
    body: RefundBody,
    desk: Desk,
    changes: Changes,
    staff: Staff,
    idempotency_key: IdempotencyKey = None,
) -> RefundView:
    """Give back a part or all of what was captured, once per Idempotency-Key where one is sent."""
    key = rules.valid_key(idempotency_key) if idempotency_key is not None else None
    order = await desk.orders.order(order_id)
    refund = await changes.refund(
        RefundRequest(
            order_id=order_id,
            reason=body.reason,
            requested_by=staff.subject,
            amount=body.amount_in(order.total.currency),
            key=key,
        )
    )
    return RefundView.of(refund)


@router.post(
    "/v1/admin/checkouts/{order_id}/resume",
    status_code=202,
    tags=["checkouts"],
)
async def resume_checkout(order_id: PathId, desk: Desk, changes: Changes, staff: Staff) -> CheckoutView:
    """Try again now what keeps failing of a checkout, cancellation or refund that needs an operator."""
    order = await changes.resume(order_id)
    return CheckoutView.of(order, await desk.steps_of(order))


@router.post(
    "/v1/admin/checkouts/{order_id}/resolve",
    status_code=202,
    tags=["checkouts"],
)
async def resolve_checkout(
    order_id: PathId, body: ResolveBody, desk: Desk, changes: Changes, staff: Staff
) -> CheckoutView:
    """Take for done what keeps failing of a checkout, cancellation or refund: it was settled by hand."""
    order = await changes.resolve(order_id, Resolution(note=body.note, by=staff.subject))
    return CheckoutView.of(order, await desk.steps_of(order))
