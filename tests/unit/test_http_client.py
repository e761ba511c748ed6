"""What a call between our own processes tells its caller, and what it keeps to our logs."""

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from contracts.errors import Kind, Refusal, Refused, Unavailable
from contracts.problems import Problem
from runtime.http_client import LARGEST_ANSWER_BYTES, ServiceClient
from runtime.service_identity import ServiceProof, UnknownService
from tests.http_server import serving
from tests.ports import free_port

SECRET = "a secret of the tests"
PATH = "/internal/carts/the-only-key-to-a-guests-cart"


class Answer(BaseModel):
    quantity: int


def peer(status: int, body: bytes) -> Starlette:
    async def answer(_: Request) -> Response:
        return Response(body, status, media_type="application/json")

    return Starlette(routes=[Route(PATH, answer)])


async def asked(url: str) -> Answer:
    async with ServiceClient(url, "carts", ServiceProof(SECRET, "orders")) as client:
        return await client.call("GET", PATH, Answer)


async def trouble_with(url: str) -> str:
    """What the caller is told of the trouble; our logs have the address, and neither has the path."""
    with capture_logs() as lines, pytest.raises(Unavailable) as raised:
        await asked(url)
    [line] = lines
    assert (line["peer"], line["address"]) == ("carts", url)
    assert PATH not in str(line)
    return raised.value.detail


async def test_a_peer_that_is_away_is_told_by_its_name_alone() -> None:
    detail = await trouble_with(f"http://127.0.0.1:{free_port()}")
    assert detail == "the carts service did not answer in time"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (200, b"not JSON"),
        (500, b"not a problem"),
        (503, Problem.of(Unavailable("redis://127.0.0.1:6379 is away").refusal).to_json()),
        (401, Problem.of(UnknownService("this proof was meant for another service").refusal).to_json()),
    ],
)
async def test_a_peer_that_does_not_work_is_told_by_its_name_alone(status: int, body: bytes) -> None:
    async with serving(peer(status, body)) as url:
        detail = await trouble_with(url)
    assert detail.startswith("the carts service ")
    assert not {"127.0.0.1", "redis", "proof"} & set(detail.replace(":", " ").replace("/", " ").split())


async def test_an_answer_without_an_end_is_not_read_to_it() -> None:
    async with serving(peer(200, b'{"quantity": 2' + b" " * LARGEST_ANSWER_BYTES + b"}")) as url:
        assert await trouble_with(url) == "the carts service did not answer in time"


async def test_a_refusal_is_raised_as_what_it_was() -> None:
    refusal = Refusal(code="carts.not_found", kind=Kind.NOT_FOUND, detail="there is no such cart")
    async with serving(peer(404, Problem.of(refusal).to_json())) as url:
        with pytest.raises(Refused) as raised:
            await asked(url)
    assert raised.value.refusal == refusal


async def test_an_answer_is_read() -> None:
    async with serving(peer(200, b'{"quantity": 2}')) as url:
        assert await asked(url) == Answer(quantity=2)
