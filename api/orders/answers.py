"""What a checkout's client is answered: rendered once, stored under the key, repeated byte for byte."""

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from api.orders.views import CheckoutView
from contracts.checkout import CANCELLED, CheckoutState, Step
from contracts.problems import PROBLEM_JSON, Problem
from services.orders.order import Order

_LOCATION = {
    "Location": {
        "description": "The checkout",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to look there",
        "required": True,
        "schema": {"type": "integer"},
    }
}
# How the route documents its answers; what a refusal looks like is the same everywhere.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    201: {"description": "Confirmed", "headers": _LOCATION},
    202: {"description": "Still running", "headers": _LOCATION | _RETRY_AFTER, "model": CheckoutView},
    400: {"description": "`idempotency.missing`, or the request cannot be read"},
    402: {"description": "`payments.declined`"},
    409: {
        "description": "`inventory.out_of_stock`, `checkout.cart_changed`, `checkout.cart_in_use`,"
        " or the checkout was called off"
    },
    422: {"description": "`idempotency.mismatch`, `checkout.cart_empty`, or a field is not what it must be"},
}


class RefusedCheckout(Problem):
    """A refusal that also names the checkout, whose steps can be looked at."""

    checkout_id: str


def is_final(order: Order) -> bool:
    """Whether the checkout's answer can be stored: it is over, and its steps stand in the order's row.

    A confirmed one is closed a moment later, and until then it has no steps to tell.
    """
    return order.ended_at is not None


def final_answer(order: Order) -> tuple[int, bytes] | None:
    """The status and the body of a checkout that has ended; None while it runs."""
    if not is_final(order):
        return None
    if order.checkout_state is CheckoutState.CONFIRMED:
        return HTTPStatus.CREATED, _body(CheckoutView.of(order, order.steps))
    problem = Problem.of(order.refusal or CANCELLED)
    refused = RefusedCheckout(checkout_id=order.id, **problem.model_dump())
    return problem.status, refused.to_json()


def respond(status: int, body: bytes, order_id: str, access_token: str | None) -> Response:
    """The answer as sent; a guest's token is added here, so that it stands in no table."""
    if access_token is not None:
        body = body[:-1] + f',"access_token":"{access_token}"}}'.encode()
    headers = {"location": f"/v1/checkouts/{order_id}"}
    return Response(
        body,
        status,
        headers,
        media_type=PROBLEM_JSON if status >= HTTPStatus.BAD_REQUEST else "application/json",
    )


def still_running(order: Order, steps: tuple[Step, ...], access_token: str | None) -> Response:
    """202: the checkout goes on; where to look and when."""
    body = _body(CheckoutView.of(order, steps))
    response = respond(HTTPStatus.ACCEPTED, body, order.id, access_token)
    response.headers["retry-after"] = "1"
    return response


def _body(view: CheckoutView) -> bytes:
    return view.model_dump_json().encode()
