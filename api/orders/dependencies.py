"""What the orders routes depend on."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Request

from api.caller import OptionalCaller
from api.orders.change_desk import ChangeDesk
from api.orders.desk import CheckoutDesk, Visitor


@dataclass(frozen=True)
class Desks:
    """Where checkouts are seen to, and where what comes after them is."""

    checkouts: CheckoutDesk
    changes: ChangeDesk


def _desks(request: Request) -> Desks:
    desks: Desks = request.app.state.opened.service
    return desks


def _desk(desks: Annotated[Desks, Depends(_desks)]) -> CheckoutDesk:
    return desks.checkouts


def _changes(desks: Annotated[Desks, Depends(_desks)]) -> ChangeDesk:
    return desks.changes


def _visitor(
    caller: OptionalCaller, x_order_token: Annotated[str | None, Header(max_length=128)] = None
) -> Visitor:
    return Visitor(identity=caller, order_token=x_order_token)


Desk = Annotated[CheckoutDesk, Depends(_desk)]
Changes = Annotated[ChangeDesk, Depends(_changes)]
AnyVisitor = Annotated[Visitor, Depends(_visitor)]
OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
