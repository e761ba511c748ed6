"""Payments' statements, built once: making one anew costs more than running it."""

from sqlalchemy import BigInteger, String, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.payments.tables import MovementKind, MovementState, PaymentsTable

_PAYMENTS = PaymentsTable.metadata.tables["payments"]
_LEDGER = PaymentsTable.metadata.tables["ledger"]
_WEBHOOKS = PaymentsTable.metadata.tables["webhooks"]

OPEN = upsert(_PAYMENTS).on_conflict_do_nothing()
FIND = select(_PAYMENTS).where(_PAYMENTS.c.order_id == bindparam("order_id"))
FIND_LOCKED = FIND.with_for_update()
MOVE = (
    update(_PAYMENTS)
    .where(_PAYMENTS.c.order_id == bindparam("of_order"))
    .values(
        state=bindparam("to_state"),
        provider_id=func.coalesce(bindparam("held_as", type_=String), _PAYMENTS.c.provider_id),
        decline_reason=func.coalesce(bindparam("declined_for", type_=String), _PAYMENTS.c.decline_reason),
        action_url=bindparam("act_at", type_=String),
        capture_failure=bindparam("not_captured_for", type_=String),
        captured=_PAYMENTS.c.captured + bindparam("captured_more", type_=BigInteger),
        refunded=_PAYMENTS.c.refunded + bindparam("refunded_more", type_=BigInteger),
        sequence=_PAYMENTS.c.sequence + 1,
        updated_at=bindparam("now"),
    )
    .returning(*_PAYMENTS.c)
)
NEXT_SEQUENCE = (
    update(_PAYMENTS)
    .where(_PAYMENTS.c.order_id == bindparam("of_order"))
    .values(sequence=_PAYMENTS.c.sequence + 1)
    .returning(_PAYMENTS.c.sequence)
)
NOTE_WEBHOOK = upsert(_WEBHOOKS).on_conflict_do_nothing()
_OLD_WEBHOOKS = (
    select(_WEBHOOKS.c.provider, _WEBHOOKS.c.report_id)
    .where(_WEBHOOKS.c.received_at < bindparam("before"))
    .limit(bindparam("at_once"))
    .with_for_update(skip_locked=True)
    .cte("old")
)
DROP_WEBHOOKS = delete(_WEBHOOKS).where(
    tuple_(_WEBHOOKS.c.provider, _WEBHOOKS.c.report_id).in_(select(_OLD_WEBHOOKS))
)

BEGIN_MOVEMENT = upsert(_LEDGER).on_conflict_do_nothing()
MOVEMENT_LOCKED = select(_LEDGER).where(_LEDGER.c.key == bindparam("key")).with_for_update()
SETTLE_MOVEMENT = (
    update(_LEDGER)
    .where(_LEDGER.c.key == bindparam("of_key"), _LEDGER.c.state == MovementState.PENDING.value)
    .values(state=bindparam("to_state"), settled_at=bindparam("now"))
)
MOVEMENT = select(_LEDGER).where(_LEDGER.c.key == bindparam("key"))
LEDGER_OF = (
    select(_LEDGER)
    .where(_LEDGER.c.order_id == bindparam("order_id"))
    .order_by(_LEDGER.c.created_at, _LEDGER.c.key)
)
REFUNDS_NOT_REFUSED = select(func.coalesce(func.sum(_LEDGER.c.amount), 0)).where(
    _LEDGER.c.order_id == bindparam("order_id"),
    _LEDGER.c.kind == MovementKind.REFUND.value,
    _LEDGER.c.state != MovementState.REFUSED.value,
    _LEDGER.c.key != bindparam("besides"),
)
CAPTURES_REFUSED = select(func.count()).where(
    _LEDGER.c.order_id == bindparam("order_id"),
    _LEDGER.c.kind == MovementKind.CAPTURE.value,
    _LEDGER.c.state == MovementState.REFUSED.value,
)
