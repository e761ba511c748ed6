"""Carts' reads and changes: each one script, one round trip, one atomic step."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import JsonValue
from redis.asyncio import Redis

from contracts.carts import BoughtCart, Repricing, cart_ref_of
from contracts.errors import DomainError
from contracts.money import Money
from contracts.products import Quote
from runtime.clock import Clock, utc_now
from runtime.trace import current_traceparent
from services.carts import keys, rules, scripts
from services.carts.cart import Cart, Line, NamedCart, new_cart_id
from services.carts.connection import reaching
from services.carts.errors import CartNotFound, MixedCurrencies, TooManyLines

SWEPT_AT_ONCE = 50


class CartStore:
    """Runs the scripts; what is wrong with the server itself surfaces as Unavailable."""

    def __init__(self, redis: Redis, clock: Clock = utc_now) -> None:
        self._redis = redis
        self._clock = clock
        self._scripts = {name: redis.register_script(scripts.source_of(name)) for name in scripts.NAMES}

    async def create(self, caller: str | None) -> Cart:
        fresh = new_cart_id()
        return _cart_in(await self._run("create", {"caller": caller}, fresh), fresh)

    async def read(self, named: NamedCart) -> Cart:
        return _cart_in(await self._run("read", _naming(named)), named.name)

    async def snapshot(self, named: NamedCart) -> Cart:
        """The cart as its buyer saw it last, whatever the catalog says by now."""
        return _cart_in(await self._run("snapshot", _naming(named)), named.name)

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

    async def settle(self, bought: BoughtCart) -> None:
        await self._run(
            "settle",
            {
                "cart": bought.cart_ref,
                "order_id": bought.order_id,
                "generation": bought.generation,
                "bought": dict(rules.units(bought.lines)),
            },
        )

    async def follow_stock(self, sku: str, available: int, sequence: int) -> None:
        """Remember how many can be had, unless something newer is known."""
        await self._run("follow_stock", {"sku": sku, "available": available, "sequence": sequence})

    async def follow_catalog(
        self,
        product_id: str,
        sequence: int,
        said_at: datetime,
        *,
        prices: Mapping[str, Money] | None = None,
        removed: Sequence[str] = (),
    ) -> None:
        """Remember what skus cost or that they are sold no more, unless something newer is known."""
        request: dict[str, JsonValue] = {
            "product_id": product_id,
            "sequence": sequence,
            "said_at": _moment(said_at),
            "prices": {sku: price.model_dump() for sku, price in (prices or {}).items()},
            "removed": list(removed),
        }
        await self._run("follow_catalog", request)

    async def tell_abandoned(self, idle_since: datetime) -> int:
        """Tell of some customers' carts that were not changed after that; 0 when none is left to tell of."""
        event_ids: list[JsonValue] = [str(uuid4()) for _ in range(SWEPT_AT_ONCE)]
        request: dict[str, JsonValue] = {"idle_since": _moment(idle_since), "event_ids": event_ids}
        _, told = await self._run("tell_abandoned", request)
        return int(told)

    async def ping(self) -> None:
        with reaching():
            await self._redis.ping()

    async def _run(
        self, script: str, request: Mapping[str, JsonValue], fresh: str | None = None
    ) -> list[Any]:
        """Run a script; `fresh` is the id of the cart that it may have to create."""
        fresh, now = fresh or new_cart_id(), self._clock()
        body = {
            **request,
            "now": now.isoformat(),
            "moment": _moment(now),
            "event_id": str(uuid4()),
            "traceparent": current_traceparent(),
            "fresh": {"id": fresh, "ref": cart_ref_of(fresh)},
        }
        # Lua takes a JSON null for a value that is there.
        present = {name: value for name, value in body.items() if value is not None}
        with reaching():
            reply: list[Any] = await self._scripts[script](args=[json.dumps(present)])
        return reply


def _moment(time: datetime) -> int:
    """Milliseconds, which Lua can compare."""
    return int(time.timestamp() * 1_000)


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
    _, flat, scarce = reply
    fields = _pairs(flat)
    available = _pairs(scarce)
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
                available=int(available[sku]) if sku in available else None,
            )
            for sku, line in sorted(lines.items(), key=lambda item: item[1]["position"])
        ),
    )


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
