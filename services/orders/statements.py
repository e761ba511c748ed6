"""Orders' statements, built once: making one anew costs more than running it."""

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from contracts.orders import RefundState
from services.orders.tables import COUNTS_FOR_CART, OrdersTable

ORDERS = OrdersTable.metadata.tables["orders"]
_LINES = OrdersTable.metadata.tables["order_lines"]
_KEYS = OrdersTable.metadata.tables["idempotency_keys"]
REFUNDS = OrdersTable.metadata.tables["refunds"]

KEY = select(_KEYS).where(
    _KEYS.c.principal == bindparam("principal"),
    _KEYS.c.route == bindparam("route"),
    _KEYS.c.key == bindparam("key"),
)
CLAIM_KEY = upsert(_KEYS).on_conflict_do_nothing()
FIRST_ANSWER = (
    update(_KEYS)
    .where(
        _KEYS.c.principal == bindparam("of_principal"),
        _KEYS.c.route == bindparam("of_route"),
        _KEYS.c.key == bindparam("of_key"),
    )
    .values(
        status=func.coalesce(_KEYS.c.status, bindparam("first_status")),
        body=func.coalesce(_KEYS.c.body, bindparam("first_body")),
    )
    .returning(*_KEYS.c)
)

ADD_ORDER = upsert(ORDERS).on_conflict_do_nothing(
    index_elements=["cart_ref", "generation"], index_where=text(COUNTS_FOR_CART)
)
ORDER_OF_CART = select(ORDERS.c.state).where(
    ORDERS.c.cart_ref == bindparam("cart_ref"),
    ORDERS.c.generation == bindparam("generation"),
    text(COUNTS_FOR_CART),
)
ADD_LINES = insert(_LINES)
ORDER = select(ORDERS).where(ORDERS.c.id == bindparam("id"))
ORDER_LOCKED = ORDER.with_for_update()
STEPS_LOCKED = (
    select(ORDERS.c.steps, ORDERS.c.ended_at).where(ORDERS.c.id == bindparam("id")).with_for_update()
)
LINES_OF = (
    select(_LINES)
    .where(_LINES.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_LINES.c.order_id, _LINES.c.position)
)
MOVE = (
    update(ORDERS)
    .where(ORDERS.c.id == bindparam("of_order"))
    .values(
        state=bindparam("to_state"),
        sequence=bindparam("at_sequence"),
        refusal=bindparam("for_refusal", type_=JSONB(none_as_null=True)),
        payment_state=bindparam("with_payment"),
        payment_sequence=bindparam("payment_at"),
        captured=bindparam("so_much_captured"),
        refunded=bindparam("so_much_refunded"),
        action_url=bindparam("to_act_at"),
        fulfilment_state=bindparam("with_fulfilment"),
        fulfilment_sequence=bindparam("fulfilment_at"),
        cancellation_state=bindparam("with_cancellation"),
        cancellation_reason=bindparam("cancellation_refused_for"),
        cancellation_attempt=bindparam("at_attempt"),
        operator_note=bindparam("with_note"),
        updated_at=bindparam("now"),
    )
)
END = (
    update(ORDERS)
    .where(ORDERS.c.id == bindparam("of_order"))
    .values(
        steps=bindparam("with_steps"),
        operator_note=None,
        ended_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
NOTE = (
    update(ORDERS)
    .where(ORDERS.c.id == bindparam("of_order"))
    .values(operator_note=bindparam("note"), updated_at=bindparam("now"))
)

ADD_REFUND = insert(REFUNDS)
REFUND = select(REFUNDS, ORDERS.c.currency).join(ORDERS).where(REFUNDS.c.id == bindparam("id"))
REFUNDS_OF = (
    select(REFUNDS, ORDERS.c.currency)
    .join(ORDERS)
    .where(REFUNDS.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(REFUNDS.c.created_at, REFUNDS.c.id)
)
REFUNDS_NOT_REFUSED = select(func.coalesce(func.sum(REFUNDS.c.amount), 0)).where(
    REFUNDS.c.order_id == bindparam("order_id"), REFUNDS.c.state != RefundState.REFUSED.value
)
NOTE_REFUND = (
    update(REFUNDS)
    .where(REFUNDS.c.id == bindparam("of_refund"), REFUNDS.c.state == RefundState.REQUESTED.value)
    .values(operator_note=bindparam("note"))
)
SETTLE_REFUND = (
    update(REFUNDS)
    .where(REFUNDS.c.id == bindparam("of_refund"), REFUNDS.c.state == RefundState.REQUESTED.value)
    .values(
        state=bindparam("to_state"),
        refusal=bindparam("for_refusal", type_=JSONB(none_as_null=True)),
        settled_at=bindparam("now"),
    )
)
