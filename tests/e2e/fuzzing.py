"""The platform's document as a machine reads it: what is sent, and in which order, is made from it."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, seed, settings, strategies
from hypothesis.errors import Flaky, Unsatisfiable
from requests.adapters import HTTPAdapter
from schemathesis.checks import CheckFunction, positive_data_acceptance
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case
from schemathesis.generation.stateful.state_machine import APIStateMachine
from schemathesis.schemas import APIOperation, BaseSchema

from tests.e2e.shopper import ADDRESS

# FUZZ_EXAMPLES=200 make test ARGS="-k openapi_fuzz" looks longer.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
# Admins alone may do little: each of it is looked at longer.
ADMINS_EXAMPLES = 10 * EXAMPLES
SCENARIOS, STEPS, MOST_WALKS = 5 * EXAMPLES, 8, 12
SEED = 4
# Failed sign-ins count against their address: what is sent here must not lock out the other tests.
ADDRESS_OF_THE_FUZZER = "127.0.0.9"
TIMEOUT_SECONDS = 20.0

REFUSALS = ("400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "431")
# Every other check of schemathesis runs: no 5xx, and status, headers, content type and body as documented;
# bad data refused, methods as documented, credentials asked for, nothing used after it was deleted.
EXCLUDED: dict[CheckFunction, str] = {
    positive_data_acceptance: "no schema knows all rules: an address that no mail reaches, a cursor of "
    "another list, an id with a slash in it, a common password are refused with 400 or 422",
}
# Whoever sends these is signed out: they are sent with the token of somebody who may be.
SIGN_OUT = frozenset({"POST /v1/auth/logout", "DELETE /v1/auth/sessions", "DELETE /v1/auth/sessions/{id}"})
# Of an order that nobody placed, a shipment is waited for a second, as it may just be opened: seldom enough
# is often enough here.
BUY, SHIP = "POST /v1/checkouts", "POST /v1/fulfilments/{order_id}/ship"

# Also such as UTC has no name for.
_MOMENTS = strategies.one_of(
    strategies.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    strategies.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]),
)
schemathesis.openapi.format("date-time", _MOMENTS)

Operation = APIOperation[Any, Any, Any, Any]
Sent = Case[Any]
Links = dict[tuple[str, str, str], dict[str, dict[str, Any]]]


def links(sku: str) -> Links:
    """What follows from what, beyond what names of fields and parameters tell: how something is bought."""
    cart, order = {"cart_id": "$response.body#/id"}, {"order_id": "$response.body#/order_id"}
    bought = {
        "cart_id": "$response.body#/id",
        "email": "ada@example.com",
        "shipping_address": ADDRESS,
        "payment_method": {"token": "tok_ok"},
    }
    parcel = {"carrier": "DHL", "tracking": "FUZZ"}
    fill = {"fill": _link("carts_set_quantity", cart | {"sku": sku}, {"quantity": 1})}
    filled = {
        "buy": _link("orders_place_checkout", {"header.idempotency-key": "$response.body#/id"}, bought),
        "empty": _link("carts_remove_item", cart | {"sku": sku}),
    }
    placed = {
        "see": _link("orders_get_checkout", order),
        "order": _link("orders_get_order", order),
        "cancel": _link("orders_cancel_order", order),
        "call off": _link("orders_cancel_checkout", order),
        "ship": _link("fulfilment_ship", order, parcel),
        "deliver": _link("fulfilment_deliver", order),
        "refund": _link("orders_refund_order", order, {"amount": 1, "reason": "broken"}),
        "resume": _link("orders_resume_checkout", order),
        "payment": _link("payments_get_payment", order),
    }
    return {
        ("/v1/carts", "post", "201"): fill,
        ("/v1/carts/{cart_id}/items/{sku}", "put", "200"): filled,
        ("/v1/checkouts", "post", "201"): placed,
        ("/v1/fulfilments/{order_id}/ship", "post", "202"): placed,
    }


def _link(operation: str, parameters: dict[str, str], body: object = None) -> dict[str, Any]:
    link: dict[str, Any] = {"operationId": operation, "parameters": parameters}
    if body is None:
        return link
    return link | {"requestBody": body, "x-schemathesis": {"merge_body": False}}


def of_role(document: dict[str, Any], role: str) -> dict[str, Any]:
    """What this role is let through to: what is refused at the door leads nowhere."""
    document = deepcopy(document)
    for path, item in document["paths"].items():
        document["paths"][path] = {
            method: operation for method, operation in item.items() if role in _roles(operation)
        }
    return document


def of_admins(document: dict[str, Any]) -> dict[str, Any]:
    """What is for admins alone: all else they may do as one of the staff does it."""
    document = deepcopy(document)
    for path, item in document["paths"].items():
        document["paths"][path] = {
            method: operation for method, operation in item.items() if operation.get("x-role") == "admin"
        }
    return document


def _roles(operation: dict[str, Any]) -> set[str]:
    if {} in operation["security"]:
        return {"anonymous", "customer", "staff", "admin"}
    match operation.get("x-role"):
        case "admin":
            return {"admin"}
        case "staff":
            return {"staff", "admin"}
        case _:
            return {"customer", "staff", "admin"}


def with_links(document: dict[str, Any], also: Links) -> dict[str, Any]:
    """The document with those of these links that lead to something in it."""
    document = deepcopy(document)
    operations = {one["operationId"] for item in document["paths"].values() for one in item.values()}
    for (path, method, status), found in also.items():
        if method in document["paths"][path]:
            document["paths"][path][method]["responses"][status]["links"] = {
                name: link for name, link in found.items() if link["operationId"] in operations
            }
    return document


def schema_of(document: dict[str, Any], base_url: str) -> BaseSchema:
    schema: BaseSchema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=base_url)
    # The head of a request is bounded too, before anybody looks at what is in it.
    schema.config.checks.negative_data_rejection.expected_statuses = [*REFUSALS]
    return schema


class _FromItsAddress(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(ADDRESS_OF_THE_FUZZER, 0))


@dataclass
class Fuzzer:
    """Sends, as one caller, what the document allows and what it does not; keeps what was wrong, once."""

    schema: BaseSchema
    token: str | None = None
    leavers_token: str | None = None
    findings: dict[str, str] = field(default_factory=dict)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    # What was bought, with a guest's proof of it.
    _orders: dict[str, str | None] = field(default_factory=dict)
    _session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._session.mount("http://", _FromItsAddress())
        if self.token is not None:
            self.schema.config.update(headers={"Authorization": f"Bearer {self.token}"})

    def close(self) -> None:
        self._session.close()

    @property
    def operations(self) -> Iterator[Operation]:
        for found in self.schema.get_all_operations():
            assert isinstance(found, Ok), found
            yield found.ok()

    def try_each(self, mode: schemathesis.GenerationMode, examples: int) -> None:
        """So many requests to each operation, of data that its schema allows or that it does not."""
        for operation in self.operations:
            strategy = operation.as_strategy(generation_mode=mode)

            @_settings(examples)
            @given(case=strategy)
            def attempt(case: Sent) -> None:
                self._look_at(case, self._send(case))

            try:
                attempt()
            except Unsatisfiable:
                # Of what takes no data there is none that is wrong.
                assert mode is schemathesis.GenerationMode.NEGATIVE, operation.label

    def walk(self) -> None:
        """Walks from answer to request, along the links, until one has come to an order that there is."""
        fuzzer = self

        class Walk(self.schema.as_state_machine()):  # type: ignore[misc]
            def before_call(self, case: Sent) -> None:
                if case.operation.label == SHIP and fuzzer._order_of(case) not in fuzzer._orders:
                    reject()

            def get_call_kwargs(self, case: Sent) -> dict[str, Any]:
                return fuzzer._how(case)

            def validate_response(self, response: Any, case: Sent, *_: Any, **__: Any) -> None:
                fuzzer._look_at(case, response, self.recorder)

        for number in range(MOST_WALKS):
            _walk(Walk, SEED + number)
            if number >= 1 and self._came_to_an_order:
                return
        raise AssertionError(f"no walk came to an order: {self.answered}")

    @property
    def _came_to_an_order(self) -> bool:
        return any(
            status < 300 and (label == BUY or "{order_id}" in label) for label, status in self.answered
        )

    def _send(self, case: Sent) -> Any:
        return case.call(**self._how(case))

    def _how(self, case: Sent) -> dict[str, Any]:
        token = self.leavers_token if case.operation.label in SIGN_OUT else self.token
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if (proof := self._orders.get(self._order_of(case))) is not None:
            headers["X-Order-Token"] = proof
        return {"session": self._session, "headers": headers, "timeout": TIMEOUT_SECONDS}

    @staticmethod
    def _order_of(case: Sent) -> str:
        return str((case.path_parameters or {}).get("order_id"))

    def _look_at(self, case: Sent, response: Any, recorder: Any = None) -> None:
        label = case.operation.label
        self.answered[label, response.status_code] += 1
        if label == BUY and response.status_code == 201:
            placed = response.json()
            self._orders[placed["order_id"]] = placed.get("access_token")
        how = self._how(case)
        try:
            case.validate_response(
                response,
                excluded_checks=list(EXCLUDED),
                headers=how["headers"],
                transport_kwargs=how,
                recorder=recorder,
            )
        except FailureGroup as found:
            for failure in found.exceptions:
                title = str(failure).partition("\n")[0]
                curl = case.as_curl_command()
                self.findings.setdefault(
                    f"{label}: {title}", f"{failure}\n{response.text[:500]}\n{curl[:500]}"
                )

    def report(self) -> str:
        return "\n\n".join(f"{title}\n{what}" for title, what in self.findings.items())


def _walk(machine: type[APIStateMachine], number: int) -> None:
    seed(number)(machine)
    run: Callable[..., None] = machine.run
    try:
        # A walk ends early where the platform, which other walks have changed, answers otherwise than before.
        run(settings=settings(_settings(SCENARIOS), derandomize=False, stateful_step_count=STEPS))
    except Flaky:
        return


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
