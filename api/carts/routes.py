"""Carts' routes: a few lines each over the service."""

from fastapi import APIRouter, Response
from fastapi import status as http

from api.caller import Caller, OptionalCaller
from api.carts.dependencies import Carts, Named, SkuPath
from api.carts.views import CartView, MergeCart, NewCart, SetQuantity

router = APIRouter(prefix="/v1/carts", tags=["carts"])


@router.post("", status_code=http.HTTP_201_CREATED, response_model_exclude_none=True)
async def create_cart(
    carts: Carts, caller: OptionalCaller, response: Response, _: NewCart | None = None
) -> CartView:
    """A new empty cart. A guest's is used by whoever knows its id; a customer's first one becomes `mine`."""
    cart = await carts.create(caller.subject if caller is not None else None)
    response.headers["location"] = f"/v1/carts/{cart.id}"
    return CartView.of(cart)


@router.get("/{cart_id}", response_model_exclude_none=True)
async def get_cart(named: Named, carts: Carts) -> CartView:
    """A cart by its id; `mine` is the signed-in customer's."""
    return CartView.of(await carts.get(named))


@router.put("/{cart_id}/items/{sku}", response_model_exclude_none=True)
async def set_quantity(named: Named, sku: SkuPath, body: SetQuantity, carts: Carts) -> CartView:
    """Make a line hold so many units; none at all at zero. Safe to repeat."""
    return CartView.of(await carts.set_quantity(named, sku, body.quantity))


@router.delete("/{cart_id}/items/{sku}", response_model_exclude_none=True)
async def remove_item(named: Named, sku: SkuPath, carts: Carts) -> CartView:
    """Take a line out, if it is there. Safe to repeat."""
    return CartView.of(await carts.remove(named, sku))


@router.post("/mine/merge", response_model_exclude_none=True)
async def merge_cart(body: MergeCart, carts: Carts, caller: Caller) -> CartView:
    """Add another cart to the caller's own; the other one is gone afterwards. Safe to repeat."""
    return CartView.of(await carts.merge(caller.subject, body.cart_id))
