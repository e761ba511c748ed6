"""What the orders routes depend on."""

from typing import Annotated

from fastapi import Depends, Header, Path, Request

from api.caller import OptionalCaller
from api.orders.desk import CheckoutDesk, Visitor


def _desk(request: Request) -> CheckoutDesk:
    desk: CheckoutDesk = request.app.state.opened.service
    return desk


def _visitor(
    caller: OptionalCaller, x_order_token: Annotated[str | None, Header(max_length=128)] = None
) -> Visitor:
    return Visitor(identity=caller, order_token=x_order_token)


Desk = Annotated[CheckoutDesk, Depends(_desk)]
AnyVisitor = Annotated[Visitor, Depends(_visitor)]
OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
