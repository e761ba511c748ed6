"""The checkout's routes."""

from fastapi import APIRouter
from starlette.responses import Response

from api.caller import OptionalCaller
from api.orders import answers
from api.orders.dependencies import AnyVisitor, Desk, IdempotencyKey, documented_key
from api.orders.views import CheckoutView, PlaceCheckout
from api.requests import PathId
from contracts.carts import cart_ref_of
from services.orders import rules
from services.orders.order import Buyer

router = APIRouter(prefix="/v1/checkouts", tags=["checkouts"])


@router.post(
    "",
    status_code=201,
    response_model=CheckoutView,
    responses=answers.DOCUMENTED,
    openapi_extra=documented_key(required=True),
)
async def place_checkout(
    body: PlaceCheckout,
    desk: Desk,
    caller: OptionalCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Buy a cart, once per Idempotency-Key however often it is sent: 201 confirmed, 202 still running."""
    key = rules.valid_key(idempotency_key)
    buyer = Buyer(identity=caller, cart_ref=cart_ref_of(body.cart_id))
    return await desk.place(buyer, key, body.command())


@router.get("/{order_id}")
async def get_checkout(order_id: PathId, desk: Desk, visitor: AnyVisitor) -> CheckoutView:
    """A checkout, step by step, with the attempts of each."""
    order = await desk.order_for(order_id, visitor)
    steps = await desk.steps_of(order)
    return CheckoutView.of(order, steps, temporal_url=desk.temporal_url(order, visitor))


@router.post("/{order_id}/cancel", status_code=202)
async def cancel_checkout(order_id: PathId, desk: Desk, visitor: AnyVisitor) -> CheckoutView:
    """Call a checkout off before it is confirmed: money and stock go back. Safe to repeat."""
    order = await desk.cancel(order_id, visitor)
    steps = await desk.steps_of(order)
    return CheckoutView.of(order, steps, temporal_url=desk.temporal_url(order, visitor))
