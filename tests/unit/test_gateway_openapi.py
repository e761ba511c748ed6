from typing import Any

from fastapi import FastAPI, Header
from pydantic import BaseModel

from api.gateway.docs import page
from api.gateway.openapi import merge
from api.gateway.routes import Access, Route

PRODUCTS = Route("GET", "/v1/products/{id}", "products", Access.ANYONE)
CREATE = Route("POST", "/v1/products", "products", Access.STAFF)
ORDER = Route("GET", "/v1/orders/{id}", "orders", Access.ANYONE)


def service(path: str, answer: type[BaseModel], *, method: str = "GET") -> dict[str, Any]:
    """What FastAPI says of an application with this one route."""
    app = FastAPI()

    async def read(reference: str, x_order_token: str | None = Header(None)) -> Any: ...

    app.add_api_route(path, read, methods=[method], response_model=answer, tags=["things"])
    return app.openapi()


class Line(BaseModel):
    sku: str


class Wrapper(BaseModel):
    lines: list[Line]


def other_line() -> type[BaseModel]:
    class Line(BaseModel):
        sku: str
        quantity: int

    class Wrapper(BaseModel):
        lines: list[Line]

    return Wrapper


def merged(*routes: Route, unavailable: tuple[str, ...] = (), **documents: dict[str, Any]) -> Any:
    return merge(documents, routes, unavailable)


def test_only_what_the_table_lets_through_is_told() -> None:
    products = service("/v1/products/{reference}", Wrapper)
    products["paths"]["/internal/quote"] = {"post": {"responses": {}}}
    products["paths"]["/v1/products/{reference}"]["delete"] = {"responses": {}}
    document = merged(PRODUCTS, products=products)
    assert {path: set(item) for path, item in document["paths"].items()} == {
        "/v1/products/{reference}": {"get"}
    }


def test_a_refusal_that_a_service_documents_looks_like_all_of_them() -> None:
    products = service("/v1/products/{reference}", Wrapper)
    responses = products["paths"]["/v1/products/{reference}"]["get"]["responses"]
    responses |= {"409": {"description": "taken"}, "": {}}
    document = merged(PRODUCTS, products=products)
    told = document["paths"]["/v1/products/{reference}"]["get"]["responses"]["409"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert told == {"description": "taken", "content": problem}


def test_a_service_cannot_speak_for_anothers_routes() -> None:
    assert merged(PRODUCTS, orders=service("/v1/products/{id}", Wrapper))["paths"] == {}


def test_schemas_that_nobody_speaks_of_are_left_out() -> None:
    products = service("/v1/products/{reference}", Wrapper)
    products["components"]["schemas"]["Secret"] = {"type": "string"}
    schemas = merged(PRODUCTS, products=products)["components"]["schemas"]
    assert schemas.keys() == {"Wrapper", "Line", "Problem", "FieldProblem"}


def test_equal_schemas_of_one_name_stay_one() -> None:
    document = merged(
        PRODUCTS,
        ORDER,
        products=service("/v1/products/{id}", Wrapper),
        orders=service("/v1/orders/{id}", Wrapper),
    )
    assert "Wrapper" in document["components"]["schemas"]
    assert "OrdersWrapper" not in document["components"]["schemas"]


def test_different_schemas_of_one_name_are_told_apart_with_all_that_speaks_of_them() -> None:
    document = merged(
        PRODUCTS,
        ORDER,
        products=service("/v1/products/{id}", Wrapper),
        orders=service("/v1/orders/{id}", other_line()),
    )
    schemas = document["components"]["schemas"]
    answer = document["paths"]["/v1/orders/{id}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/OrdersWrapper"}
    lines = schemas["OrdersWrapper"]["properties"]["lines"]["items"]
    assert lines == {"$ref": "#/components/schemas/OrdersLine"}
    assert "quantity" in schemas["OrdersLine"]["properties"]
    assert "quantity" not in schemas["ProductsLine"]["properties"]


def test_a_services_own_problem_does_not_replace_ours() -> None:
    class Problem(BaseModel):
        oops: int

    document = merged(PRODUCTS, products=service("/v1/products/{id}", Problem))
    assert "code" in document["components"]["schemas"]["Problem"]["properties"]
    assert "oops" in document["components"]["schemas"]["ProductsProblem"]["properties"]


def test_errors_are_problems() -> None:
    operation = merged(PRODUCTS, products=service("/v1/products/{id}", Wrapper))["paths"]["/v1/products/{id}"]
    responses = operation["get"]["responses"]
    assert responses["default"] == {"$ref": "#/components/responses/Problem"}
    assert "422" not in responses


def test_who_may_call_comes_from_the_table() -> None:
    document = merged(PRODUCTS, CREATE, products=service("/v1/products", Wrapper, method="POST"))
    operation = document["paths"]["/v1/products"]["post"]
    assert {"bearerAuth": []} in operation["security"]
    assert {} not in operation["security"]
    assert operation["x-role"] == "staff"


def test_an_order_token_is_a_security_scheme_and_no_parameter() -> None:
    operation = merged(ORDER, orders=service("/v1/orders/{id}", Wrapper))["paths"]["/v1/orders/{id}"]["get"]
    assert {"orderToken": []} in operation["security"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["reference"]


def test_a_service_that_is_down_is_named() -> None:
    assert merged(PRODUCTS, unavailable=("orders", "carts"))["x-unavailable"] == ["carts", "orders"]


def test_nonsense_of_a_service_is_ignored() -> None:
    nonsense = {"paths": {"/v1/products/{id}": "x", "/": None}, "components": {"schemas": []}}
    assert merged(PRODUCTS, products=nonsense)["paths"] == {}


def test_the_page_shows_each_operation_and_loads_nothing() -> None:
    html = page(merged(PRODUCTS, products=service("/v1/products/{id}", Wrapper), unavailable=("orders",)))
    assert "<code>/v1/products/{id}</code>" in html
    assert "left out: orders" in html
    assert "http://" not in html
    assert "https://" not in html
    assert "<script" not in html


def test_the_page_shows_a_services_text_as_text() -> None:
    products = service("/v1/products/{id}", Wrapper)
    products["paths"]["/v1/products/{id}"]["get"]["description"] = "<script>alert(1)</script>"
    assert "<script" not in page(merged(PRODUCTS, products=products))
