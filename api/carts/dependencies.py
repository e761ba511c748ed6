"""What carts' routes are given: the service, and the cart that the path and the caller name."""

from typing import Annotated

from fastapi import Depends, Path, Request

from api.caller import OptionalCaller
from contracts.carts import CartId
from contracts.money import AddressableSku
from services.carts.cart import NamedCart
from services.carts.service import CartService


def _service(request: Request) -> CartService:
    service: CartService = request.app.state.opened.service
    return service


async def _named(cart_id: Annotated[CartId, Path()], caller: OptionalCaller) -> NamedCart:
    return NamedCart(cart_id, caller.subject if caller is not None else None)


Carts = Annotated[CartService, Depends(_service)]
Named = Annotated[NamedCart, Depends(_named)]
SkuPath = Annotated[AddressableSku, Path()]
