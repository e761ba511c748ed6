"""Notifications, contacts, outbox, inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from runtime.migrations import create_inbox, create_outbox, make_outbox_relayable

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("template", sa.String(32), nullable=False),
        sa.Column("order_id", sa.String(64)),
        sa.Column("user_id", sa.String(64)),
        sa.Column("facts", JSONB, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message_id", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("last_error", sa.String),
        sa.Column("traceparent", sa.String),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("handed_over_at", sa.DateTime(timezone=True)),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "notifications_pending",
        "notifications",
        ["created_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("notifications_by_time", "notifications", ["created_at", "id"])
    op.create_index("notifications_by_state", "notifications", ["state", "created_at", "id"])
    op.create_index("notifications_by_order", "notifications", ["order_id", "created_at", "id"])
    op.create_table(
        "contacts",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("name", sa.String),
    )
    create_outbox()
    make_outbox_relayable()
    create_inbox()
