"""Inventory's statements on the checkout's path, built once: making one anew costs more than running it."""

from sqlalchemy import ARRAY, Integer, String, bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.inventory.tables import InventoryTable, ReservationState

_STOCK = InventoryTable.metadata.tables["stock"]
_RESERVATIONS = InventoryTable.metadata.tables["reservations"]
_LINES = InventoryTable.metadata.tables["reservation_lines"]
STOCK_COLUMNS = (_STOCK.c.sku, _STOCK.c.on_hand, _STOCK.c.reserved, _STOCK.c.sequence)

CLAIM_RESERVATION = upsert(_RESERVATIONS).on_conflict_do_nothing()
ADD_LINES = insert(_LINES)

# What is wanted, as a table: `skus[i]` in the quantity `units[i]`.
_ASKED = (
    func.unnest(bindparam("skus", type_=ARRAY(String)), bindparam("units", type_=ARRAY(Integer)))
    .table_valued(column("sku", String), column("units", Integer))
    .render_derived(name="asked")
)

# The guard against overselling. It sees the newest row, since the caller has locked it before.
HOLD = (
    update(_STOCK)
    .where(_STOCK.c.sku == _ASKED.c.sku, _STOCK.c.on_hand - _STOCK.c.reserved >= _ASKED.c.units)
    .values(reserved=_STOCK.c.reserved + _ASKED.c.units, sequence=_STOCK.c.sequence + 1)
    .returning(*STOCK_COLUMNS)
)

# In sku order, so that two carts in opposite order wait for each other's lock instead of deadlocking.
STOCK = (
    select(*STOCK_COLUMNS)
    .where(_STOCK.c.sku == func.any(bindparam("skus", type_=ARRAY(String))))
    .order_by(_STOCK.c.sku)
)
STOCK_LOCKED = STOCK.with_for_update()

_CLOSE_RESERVATION = update(_RESERVATIONS).where(
    _RESERVATIONS.c.order_id == bindparam("of_order"),
    _RESERVATIONS.c.state == ReservationState.HELD.value,
)
RELEASE_RESERVATION = _CLOSE_RESERVATION.values(
    state=ReservationState.RELEASED.value, released_at=bindparam("now")
)
TAKE_RESERVATION = _CLOSE_RESERVATION.values(state=ReservationState.TAKEN.value, taken_at=bindparam("now"))
SKUS_HELD = select(_LINES.c.sku).where(_LINES.c.order_id == bindparam("order_id"))
_NO_LONGER_HELD = (
    update(_STOCK)
    .where(_LINES.c.order_id == bindparam("of_order"), _LINES.c.sku == _STOCK.c.sku)
    .values(reserved=_STOCK.c.reserved - _LINES.c.quantity, sequence=_STOCK.c.sequence + 1)
)
GIVE_BACK = _NO_LONGER_HELD.returning(*STOCK_COLUMNS)
TAKE = _NO_LONGER_HELD.values(on_hand=_STOCK.c.on_hand - _LINES.c.quantity).returning(*STOCK_COLUMNS)
