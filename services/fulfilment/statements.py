"""Fulfilment's statements, built once: making one anew costs more than running it."""

from sqlalchemy import and_, bindparam, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from contracts.fulfilment import ShipmentState
from services.fulfilment.tables import UNFINISHED, FulfilmentTable

SHIPMENTS = FulfilmentTable.metadata.tables["shipments"]

ADD = upsert(SHIPMENTS).on_conflict_do_nothing()
FIND = select(SHIPMENTS).where(SHIPMENTS.c.order_id == bindparam("order_id"))
FIND_LOCKED = FIND.with_for_update()
# Whoever changes a shipment tells its workflow next: the reconciler gives them the time to.
CHANGE = (
    update(SHIPMENTS)
    .where(SHIPMENTS.c.order_id == bindparam("of_order"))
    .values(
        state=bindparam("to_state"),
        carrier=bindparam("by_carrier"),
        tracking=bindparam("with_tracking"),
        reason=bindparam("for_reason"),
        reminders=bindparam("after_reminders"),
        sequence=bindparam("at_sequence"),
        updated_at=bindparam("now"),
        attended_at=bindparam("now"),
    )
)
LOOK = (
    update(SHIPMENTS)
    .where(SHIPMENTS.c.order_id == bindparam("of_order"))
    .values(seen=SHIPMENTS.c.sequence, attended_at=bindparam("now"))
    .returning(*SHIPMENTS.c)
)
ATTENDED = (
    update(SHIPMENTS)
    .where(SHIPMENTS.c.order_id.in_(bindparam("of_orders", expanding=True)))
    .values(attended_at=bindparam("now"))
)
_IN_A_HURRY = or_(SHIPMENTS.c.seen < SHIPMENTS.c.sequence, SHIPMENTS.c.state == ShipmentState.SHIPPING.value)
UNATTENDED = (
    select(SHIPMENTS)
    .where(
        text(f"({UNFINISHED})"),
        or_(
            and_(SHIPMENTS.c.attended_at < bindparam("hurried_before"), _IN_A_HURRY),
            SHIPMENTS.c.attended_at < bindparam("patrolled_before"),
        ),
    )
    .order_by(SHIPMENTS.c.attended_at)
    .limit(bindparam("at_most"))
)
