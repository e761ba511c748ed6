"""What becomes of an order after its checkout: payment, parcel, cancellation, refunds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.alter_column("orders", "payment_state", type_=sa.String(32), existing_nullable=False)
    op.add_column("orders", sa.Column("cancellation_state", sa.String(16)))
    op.add_column("orders", sa.Column("cancellation_reason", sa.String))
    op.add_column("orders", sa.Column("action_url", sa.String))
    for name in ("payment_sequence", "fulfilment_sequence", "captured", "refunded"):
        op.add_column("orders", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.create_index(
        "orders_to_cancel",
        "orders",
        ["created_at", "id"],
        postgresql_where=sa.text("cancellation_state = 'requested'"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("orders.id"), nullable=False, index=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("refusal", JSONB),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "refunds_to_make",
        "refunds",
        ["created_at", "id"],
        postgresql_where=sa.text("state = 'requested'"),
    )
