"""Inventory's decisions, pure."""

from collections.abc import Iterable

from contracts.errors import FieldProblem
from contracts.inventory import StockLine
from services.inventory.errors import BelowReserved, BeyondLimit, OutOfStock

MAX_ON_HAND = 10_000_000


def merged(lines: Iterable[StockLine]) -> dict[str, int]:
    """Units wanted by sku, in sku order: every reserve locks rows in one order, so none deadlocks."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return dict(sorted(wanted.items()))


def out_of_stock(wanted: dict[str, int], available: dict[str, int]) -> OutOfStock:
    """The refusal that names every line that falls short, and by how much."""
    short = [
        FieldProblem(at=sku, message=f"{quantity} wanted, {available.get(sku, 0)} available")
        for sku, quantity in wanted.items()
        if available.get(sku, 0) < quantity
    ]
    return OutOfStock("Not all of this can be had any more.", errors=short)


def adjusted(on_hand: int, reserved: int, delta: int) -> int:
    """The new on_hand, or a refusal to fall below what is held for orders or to exceed all reason."""
    if on_hand + delta < reserved:
        raise BelowReserved(f"{on_hand + delta} on hand would be below the {reserved} that orders hold")
    if on_hand + delta > MAX_ON_HAND:
        raise BeyondLimit(f"{on_hand + delta} on hand would be more than the {MAX_ON_HAND} that are counted")
    return on_hand + delta
