"""Inventory's use cases: the only way in."""

from collections.abc import Iterable

from contracts.events import Event
from contracts.inventory import STOCK_CHANGED, ReleaseStock, ReserveStock, StockChanged, TakeStock
from runtime.clock import Clock, utc_now
from services.inventory import rules
from services.inventory.errors import AlreadyTaken, ReservationReleased, UnknownReservation, UnknownSku
from services.inventory.store import InventoryStore, Stock
from services.inventory.tables import ReservationState


class InventoryService:
    """Stock and reservations: never below zero, never more held than there is."""

    def __init__(self, store: InventoryStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def reserve(self, command: ReserveStock) -> None:
        """Hold every line of the order or refuse with OutOfStock and hold none; safe to repeat."""
        wanted = rules.merged(command.lines)
        async with self._store.begin() as tx:
            if not await tx.open_reservation(command.order_id, ReservationState.HELD, self._clock()):
                if await tx.reservation_state(command.order_id) is ReservationState.RELEASED:
                    raise ReservationReleased("this order's stock was given back before this step arrived")
                return
            before = await tx.stock(wanted, lock=True)
            # A sku that is not there yet has no row to lock: to touch it later would be out of order.
            held = await tx.hold(command.order_id, wanted) if len(before) == len(wanted) else []
            if len(held) < len(wanted):
                raise rules.out_of_stock(wanted, {sku: stock.available for sku, stock in before.items()})
            await tx.emit(self._changes(held, "reserved"))

    async def release(self, command: ReleaseStock) -> None:
        """Give back what the order holds, if anything, and refuse a late reserve; safe to repeat.

        Refused once the stock was taken: whoever decides between the two has decided.
        """
        async with self._store.begin() as tx:
            now = self._clock()
            if await tx.open_reservation(command.order_id, ReservationState.RELEASED, now):
                return
            returned = await tx.release(command.order_id, now)
            if not returned and await tx.reservation_state(command.order_id) is ReservationState.TAKEN:
                raise AlreadyTaken("what this order held has left the building already")
            await tx.emit(self._changes(returned, "released"))

    async def take(self, command: TakeStock) -> None:
        """Take what the order holds from the stock, once; refused where nothing is held. Safe to repeat."""
        async with self._store.begin() as tx:
            taken = await tx.take(command.order_id, self._clock())
            if not taken:
                state = await tx.reservation_state(command.order_id)
                if state is None:
                    raise UnknownReservation("nothing was ever held for this order")
                if state is ReservationState.RELEASED:
                    raise ReservationReleased("this order's stock was given back before this step arrived")
            await tx.emit(self._changes(taken, "shipped"))

    async def stock_of(self, sku: str) -> Stock:
        """One sku's stock."""
        found = await self.stock_of_many([sku])
        if sku not in found:
            raise UnknownSku(f"there is no stock record for {sku}")
        return found[sku]

    async def stock_of_many(self, skus: Iterable[str]) -> dict[str, Stock]:
        """The stock of those skus that are known."""
        async with self._store.begin() as tx:
            return await tx.stock(skus)

    async def set_on_hand(self, sku: str, on_hand: int) -> Stock:
        """Count a sku anew; refused below what orders hold. Safe to repeat."""
        async with self._store.begin() as tx:
            before = await tx.known(sku)
            after = await tx.set_on_hand(sku, rules.adjusted(0, before.reserved, on_hand))
            await tx.emit(self._changes([after], "counted"))
            return after

    async def adjust(self, sku: str, delta: int, reason: str) -> Stock:
        """Add to or take from a sku's stock; not safe to repeat, each call counts."""
        async with self._store.begin() as tx:
            before = (await tx.stock([sku], lock=True)).get(sku)
            if before is None:
                raise UnknownSku(f"there is no stock record for {sku}")
            after = await tx.set_on_hand(sku, rules.adjusted(before.on_hand, before.reserved, delta))
            await tx.emit(self._changes([after], reason))
            return after

    async def ready(self) -> None:
        await self._store.ping()

    def _changes(self, stocks: Iterable[Stock], reason: str) -> list[Event]:
        now = self._clock()
        return [
            Event.of(
                STOCK_CHANGED,
                subject=stock.sku,
                sequence=stock.sequence,
                time=now,
                data=StockChanged(
                    sku=stock.sku,
                    on_hand=stock.on_hand,
                    reserved=stock.reserved,
                    available=stock.available,
                    reason=reason,
                ),
            )
            for stock in stocks
        ]
