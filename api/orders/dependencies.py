"""What the orders routes depend on."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from api.caller import OptionalCaller
from api.orders.change_desk import ChangeDesk
from api.orders.desk import CheckoutDesk, Visitor
from services.orders.rules import MAX_KEY_LENGTH


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


def documented_key(*, required: bool) -> dict[str, Any]:
    """What a route that takes an IdempotencyKey says of it in its document, as `openapi_extra`."""
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH}
    header = {"name": "idempotency-key", "in": "header", "required": required, "schema": schema}
    return {"parameters": [header]}


Desk = Annotated[CheckoutDesk, Depends(_desk)]
Changes = Annotated[ChangeDesk, Depends(_changes)]
AnyVisitor = Annotated[Visitor, Depends(_visitor)]
# Documented by hand: to the framework it is optional and of any length, so that a missing or a wrong one is
# refused by our own rule, with 400 and a code of its own.
IdempotencyKey = Annotated[str | None, Header(include_in_schema=False)]
