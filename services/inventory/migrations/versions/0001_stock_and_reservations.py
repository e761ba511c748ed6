"""Stock, reservations, outbox."""

import sqlalchemy as sa
from alembic import op

from runtime.migrations import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "stock",
        sa.Column("sku", sa.String(64), primary_key=True),
        sa.Column("on_hand", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint("reserved >= 0 AND on_hand >= reserved", name="stock_not_oversold"),
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "reservation_lines",
        sa.Column("order_id", sa.String(64), sa.ForeignKey("reservations.order_id"), primary_key=True),
        sa.Column("sku", sa.String(64), primary_key=True, index=True),
        sa.Column("quantity", sa.Integer, nullable=False),
    )
    create_outbox()


def downgrade() -> None:
    for table in ("outbox", "reservation_lines", "reservations", "stock"):
        op.drop_table(table)
