"""Whatever the document allows is answered as the document says, and what it does not allow is refused."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from schemathesis import GenerationMode

from contracts.identity import Role
from tests.e2e.audit import audit
from tests.e2e.fuzzing import (
    ADMINS_EXAMPLES,
    EXAMPLES,
    EXCLUDED,
    SIGN_OUT,
    Fuzzer,
    links,
    of_admins,
    of_role,
    schema_of,
    with_links,
)
from tests.e2e.people import user
from tests.e2e.shop import Shop

Tokens = dict[str, tuple[str | None, str | None]]


@pytest.fixture(scope="module")
async def document(shop: Shop) -> Any:
    return (await shop.guest.get("/openapi.json")).body


@pytest.fixture(scope="module")
async def sku(shop: Shop) -> str:
    return await shop.sells(on_hand=10_000)


@pytest.fixture(scope="module")
async def tokens(shop: Shop) -> Tokens:
    """Of each kind somebody who stays, and somebody who may be signed out."""
    found: Tokens = {"anonymous": (None, None)}
    for role in Role:
        found[role] = ((await user(shop, role)).token, (await user(shop, role)).token)
    return found


@pytest.fixture
def fuzzer(shop: Shop, tokens: Tokens) -> Iterator[Callable[[str, Any], Fuzzer]]:
    """Makes the fuzzer of somebody, over a document."""
    made: list[Fuzzer] = []

    def make(who: str, document: Any) -> Fuzzer:
        made.append(Fuzzer(schema_of(document, shop.settings.gateway_url), *tokens[who]))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.timeout(600 + 10 * EXAMPLES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", ["anonymous", "customer", "staff"])
def test_every_operation_answers_as_documented(
    fuzzer: Callable[[str, Any], Fuzzer], document: Any, who: str, mode: GenerationMode
) -> None:
    caller = fuzzer(who, document)
    caller.try_each(mode, EXAMPLES)
    assert not caller.findings, caller.report()


@pytest.mark.timeout(600 + 10 * EXAMPLES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_of_admins_answers_as_documented(
    fuzzer: Callable[[str, Any], Fuzzer], document: Any, mode: GenerationMode
) -> None:
    caller = fuzzer(Role.ADMIN, of_admins(document))
    caller.try_each(mode, ADMINS_EXAMPLES)
    assert not caller.findings, caller.report()
    assert not {401, 403} & {status for _, status in caller.answered}


@pytest.mark.timeout(600 + 10 * EXAMPLES)
@pytest.mark.parametrize("who", ["anonymous", "customer", "staff"])
def test_every_walk_through_the_operations_is_answered_as_documented(
    fuzzer: Callable[[str, Any], Fuzzer], document: Any, sku: str, who: str
) -> None:
    caller = fuzzer(who, with_links(of_role(document, who), links(sku)))
    caller.walk()
    assert not caller.findings, caller.report()


async def test_money_stock_and_orders_agree_after_all_that(shop: Shop) -> None:
    await audit(shop)


def test_what_is_left_out_is_named_with_its_reason(document: Any) -> None:
    assert all(reason for reason in EXCLUDED.values())
    documented = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert documented >= SIGN_OUT


@pytest.mark.parametrize("lie", ["a body", "a status", "a door"])
def test_the_fuzzer_finds_what_is_not_as_documented(
    fuzzer: Callable[[str, Any], Fuzzer], document: Any, lie: str
) -> None:
    """The check is checked: each of these documents says one thing that is not so."""
    listed = deepcopy(document["paths"]["/v1/categories"]["get"])
    if lie == "a body":
        listed["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "array"}
    elif lie == "a status":
        listed["responses"] = {"404": listed["responses"]["default"]}
    else:
        listed["security"] = [{"bearerAuth": []}]
    caller = fuzzer("customer", document | {"paths": {"/v1/categories": {"get": listed}}})
    caller.try_each(GenerationMode.POSITIVE, EXAMPLES)
    assert caller.findings
