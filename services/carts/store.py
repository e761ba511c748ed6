"""Carts' reads and changes: each one script, one round trip, one atomic step."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import JsonValue
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from redis.exceptions import TimeoutError as ServerTooSlow

from contracts.carts import Repricing, SettleCart, cart_ref_of
from contracts.errors import DomainError, Unavailable
from contracts.money import Money
from contracts.products import Quote
from runtime.clock import Clock, utc_now
from runtime.trace import current_traceparent
from services.carts import keys, rules, scripts
from services.carts.cart import Cart, Line, NamedCart, new_cart_id
from services.carts.errors import CartNotFound, MixedCurrencies, TooManyLines

_OUTAGES = (ConnectionLost, ServerTooSlow, OutOfMemoryError, ReadOnlyError, OSError)


def connect(url: str, *, pool_size: int = 20) -> Redis:
    """A pooled client that gives up after seconds and sends nothing twice: an answer lost stays unknown."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=pool_size,
        timeout=2,
        socket_connect_timeout=1,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    return Redis.from_pool(pool)


class CartStore:
    """Runs the scripts; what is wrong with the server itself surfaces as Unavailable."""

    def __init__(self, redis: Redis, clock: Clock = utc_now) -> None:
        self._redis = redis
        self._clock = clock
        names = ("create", "read", "set_quantity", "reprice", "merge", "settle")
        self._scripts = {name: redis.register_script(scripts.source_of(name)) for name in names}

    async def create(self, caller: str | None) -> Cart:
        fresh = new_cart_id()
        return _cart_in(await self._run("create", {"caller": caller}, fresh), fresh)

    async def read(self, named: NamedCart) -> Cart:
        return _cart_in(await self._run("read", _naming(named)), named.name)

    async def set_quantity(
        self, named: NamedCart, sku: str, quantity: int, quote: Quote | None = None
    ) -> Cart | None:
        """Make a line hold so many units; None when the sku is not in the cart and no quote was given."""
        request = {**_naming(named), "sku": sku, "quantity": quantity}
        if quote is not None:
            request["quote"] = {"title": quote.title, **quote.price.model_dump()}
        reply = await self._run("set_quantity", request)
        return None if reply[0] == "quote_needed" else _cart_in(reply, named.name)

    async def reprice(self, named: NamedCart, repricing: Repricing) -> Cart:
        request = _naming(named) | repricing.model_dump(mode="json")
        return _cart_in(await self._run("reprice", request), named.name)

    async def merge(self, mine: NamedCart, other: NamedCart) -> Cart:
        return _cart_in(await self._run("merge", {"caller": mine.caller, "other": other.ref}), mine.name)

    async def settle(self, command: SettleCart) -> None:
        await self._run(
            "settle",
            {
                "cart": command.cart_ref,
                "order_id": command.order_id,
                "generation": command.generation,
                "bought": dict(rules.units(command.lines)),
            },
        )

    async def ping(self) -> None:
        try:
            await self._redis.ping()
        except _OUTAGES as error:
            raise _unavailable() from error

    async def _run(
        self, script: str, request: Mapping[str, JsonValue], fresh: str | None = None
    ) -> list[Any]:
        """Run a script; `fresh` is the id of the cart that it may have to create."""
        fresh = fresh or new_cart_id()
        body = {
            **request,
            "now": self._clock().isoformat(),
            "event_id": str(uuid4()),
            "traceparent": current_traceparent(),
            "fresh": {"id": fresh, "ref": cart_ref_of(fresh)},
        }
        # Lua takes a JSON null for a value that is there.
        present = {name: value for name, value in body.items() if value is not None}
        try:
            reply: list[Any] = await self._scripts[script](args=[json.dumps(present)])
        except _OUTAGES as error:
            raise _unavailable() from error
        return reply


def _unavailable() -> Unavailable:
    return Unavailable("the carts cannot be reached, try again")


def _naming(named: NamedCart) -> dict[str, JsonValue]:
    return {"cart": named.ref, "caller": named.caller}


def _refusal(outcome: str) -> DomainError:
    match outcome:
        case "not_found":
            return CartNotFound("there is no such cart")
        case "too_many_lines":
            return TooManyLines(f"a cart holds at most {rules.MAX_LINES} lines")
        case "mixed_currencies":
            return MixedCurrencies("a cart holds one currency only")
        case _:
            raise RuntimeError(f"a cart script answered {outcome!r}")


def _cart_in(reply: list[Any], name: str) -> Cart:
    """The cart that a script answered with, or the refusal that it answered instead.

    A customer's cart knows its own id; a guest's only the guest does.
    """
    if reply[0] != "cart":
        raise _refusal(reply[0])
    _, flat = reply
    fields: dict[str, str] = dict(zip(flat[::2], flat[1::2], strict=True))
    lines = {
        name.removeprefix(keys.LINE_PREFIX): json.loads(value)
        for name, value in fields.items()
        if name.startswith(keys.LINE_PREFIX)
    }
    currency = fields["currency"]
    return Cart(
        id=fields.get("id", name),
        owner=fields.get("owner"),
        currency=currency,
        version=int(fields["version"]),
        generation=int(fields["generation"]),
        lines=tuple(
            Line(
                sku=sku,
                title=line["title"],
                quantity=line["quantity"],
                unit_price=Money(amount=line["unit_price"], currency=currency),
                price_changed=line.get("price_changed", False),
                gone=line.get("gone", False),
            )
            for sku, line in sorted(lines.items(), key=lambda item: item[1]["position"])
        ),
    )
