"""Orders, lines, idempotency keys, outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from runtime.migrations import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String),
        sa.Column("cart_ref", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("shipping_address", JSONB, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("payment_token", sa.String, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("refusal", JSONB),
        sa.Column("steps", JSONB, nullable=False),
        sa.Column("operator_note", sa.String),
        sa.Column("payment_state", sa.String(16), nullable=False),
        sa.Column("fulfilment_state", sa.String(16), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("traceparent", sa.String),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "one_order_per_cart_generation",
        "orders",
        ["cart_ref", "generation"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('rejected', 'cancelled')"),
    )
    op.create_index(
        "orders_unfinished", "orders", ["created_at"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index("orders_by_customer", "orders", ["customer_id", "created_at", "id"])
    op.create_index("orders_by_state", "orders", ["state", "created_at", "id"])
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(64), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("sku", sa.String(64), nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.String, primary_key=True),
        sa.Column("route", sa.String, primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    create_outbox()


def downgrade() -> None:
    for table in ("outbox", "idempotency_keys", "order_lines", "orders"):
        op.drop_table(table)
