"""Shipments, outbox, what others say."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from runtime.migrations import create_inbox, create_outbox, make_outbox_relayable

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "shipments",
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("lines", JSONB, nullable=False),
        sa.Column("carrier", sa.String),
        sa.Column("tracking", sa.String),
        sa.Column("reason", sa.String),
        sa.Column("reminders", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("traceparent", sa.String),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attended_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("shipments_by_age", "shipments", ["created_at", "order_id"])
    op.create_index("shipments_by_state", "shipments", ["state", "created_at", "order_id"])
    op.create_index(
        "shipments_unfinished",
        "shipments",
        ["attended_at"],
        postgresql_where=sa.text("state NOT IN ('delivered', 'stopped') OR seen < sequence"),
    )
    create_outbox()
    make_outbox_relayable()
    create_inbox()


def downgrade() -> None:
    for table in ("parked", "inbox", "outbox", "shipments"):
        op.drop_table(table)
    op.execute("DROP FUNCTION outbox_written")
