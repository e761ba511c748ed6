"""What a load generator does again and again: a request through the platform's front door, or the floor."""

from collections import deque
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

import aiohttp
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.checkout import CheckoutState
from contracts.identity import IDEMPOTENCY_HEADER
from proof.floor import place_floor
from runtime.settings import Settings
from runtime.temporal import connect

REQUEST_SECONDS = 60.0
PREPARED_AT_ONCE = 8
ADDRESS = {
    "name": "Ada Buyer",
    "line1": "1 Analytical Way",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}


class RequestFailed(Exception):
    """A request that did not end as it must; the text groups equal ones."""


class Buyer(Protocol):
    """Something that can be asked for the same again and again, by many at once."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def prepare(self) -> None:
        """Make ready for one request, before anything is measured."""

    async def buy(self) -> None:
        """One request from its beginning to its checked end; RequestFailed if it ended otherwise."""


class FloorBuyer:
    """The bare workflow, through the same kind of client as the orders API has."""

    _client: Client

    def __init__(self, temporal_address: str, temporal_namespace: str) -> None:
        self._settings = Settings(temporal_address=temporal_address, temporal_namespace=temporal_namespace)

    async def __aenter__(self) -> Self:
        self._client = await connect(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Its connection ends with the process."""

    async def prepare(self) -> None:
        """It needs nothing."""

    async def buy(self) -> None:
        try:
            await place_floor(self._client, str(uuid4()))
        except (RPCError, RuntimeError) as error:
            raise RequestFailed(type(error).__name__) from error


class GatewayBuyer:
    """A guest of the shop: the whole flow, from a new cart to a confirmed order."""

    _session: aiohttp.ClientSession

    def __init__(self, gateway: str, skus: tuple[str, ...]) -> None:
        self._gateway = gateway
        self._skus = deque(skus)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._session = await self._resources.enter_async_context(
            aiohttp.ClientSession(
                self._gateway,
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    async def prepare(self) -> None:
        """A flow begins with nothing."""

    async def buy(self) -> None:
        await self._check_out(await self._filled_cart())

    async def _filled_cart(self) -> str:
        cart = await self._ask("POST", "/v1/carts", 201)
        # Every checkout takes the next sku, so that no single stock row is what is measured.
        self._skus.rotate(-1)
        await self._ask("PUT", f"/v1/carts/{cart['id']}/items/{self._skus[0]}", 200, {"quantity": 1})
        return str(cart["id"])

    async def _check_out(self, cart_id: str) -> None:
        body = {
            "cart_id": cart_id,
            "email": "ada@buyers.example",
            "shipping_address": ADDRESS,
            "payment_method": {"token": "tok_ok"},
        }
        checkout = await self._ask("POST", "/v1/checkouts", 201, body, {IDEMPOTENCY_HEADER: str(uuid4())})
        if checkout["state"] != CheckoutState.CONFIRMED:
            raise RequestFailed(f"POST /v1/checkouts: {checkout['state']}")

    async def _ask(
        self,
        method: str,
        path: str,
        expected: int,
        body: object | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, object]:
        route = f"{method} {'/'.join(path.split('/')[:3])}"
        try:
            async with self._session.request(method, path, json=body, headers=headers) as response:
                answer: dict[str, object] = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise RequestFailed(f"{route}: {type(error).__name__}") from error
        if response.status != expected:
            raise RequestFailed(f"{route}: {response.status} {answer.get('code', '')}".rstrip())
        return answer


class CheckoutBuyer(GatewayBuyer):
    """A guest whose cart is filled already: one POST /v1/checkouts."""

    def __init__(self, gateway: str, skus: tuple[str, ...]) -> None:
        super().__init__(gateway, skus)
        self._carts: deque[str] = deque()

    async def prepare(self) -> None:
        self._carts.append(await self._filled_cart())

    async def buy(self) -> None:
        await self._check_out(self._carts.popleft())
