"""What `micromart status` tells of the gateway's breakers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.gateway import breakers
from cli import status
from tests.http_server import serving
from tests.ports import free_port


@pytest.fixture
async def gateway() -> AsyncIterator[str]:
    """Metrics as a gateway's are while orders fail and carts recover."""
    registry = CollectorRegistry()
    gauge = Gauge(status.BREAKER_STATE, "of the test", ["upstream", "state"], registry=registry)
    for upstream, now in {"auth": "closed", "carts": "half_open", "orders": "open"}.items():
        for state in breakers.State:
            gauge.labels(upstream, state).set(state == now)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry))

    async with serving(Starlette(routes=[Route("/metrics", metrics)])) as url:
        yield url


async def test_the_breakers_are_read_from_the_metrics(gateway: str) -> None:
    states = await asyncio.to_thread(status.breakers_of, gateway)
    assert states == {"auth": "closed", "carts": "half_open", "orders": "open"}


def test_a_gateway_that_does_not_answer_tells_nothing() -> None:
    assert status.breakers_of(f"http://127.0.0.1:{free_port()}") is None


def test_the_metric_is_the_one_that_breakers_write() -> None:
    breakers.Breaker("products")
    assert {metric.name for metric in breakers.STATE.describe()} == {status.BREAKER_STATE}


@pytest.mark.parametrize(
    ("states", "line"),
    [
        (None, "breakers: [yellow]unknown[/], the gateway does not tell"),
        ({"auth": "closed", "carts": "closed"}, "breakers: 2 closed"),
        (
            {"orders": "open", "auth": "closed", "carts": "half_open"},
            "breakers: carts [yellow]half-open[/], orders [red]open[/], 1 closed",
        ),
    ],
)
def test_what_is_not_closed_is_named(states: dict[str, str] | None, line: str) -> None:
    assert status.breakers_line(states) == line
