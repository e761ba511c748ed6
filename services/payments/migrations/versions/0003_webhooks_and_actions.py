"""What providers report, what a buyer has to do first, why a capture failed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("payments", sa.Column("action_url", sa.String))
    op.add_column("payments", sa.Column("capture_failure", sa.String))
    op.create_table(
        "webhooks",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("report_id", sa.String(255), primary_key=True),
        sa.Column("order_id", sa.String(64), nullable=False, index=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("webhooks")
    op.drop_column("payments", "capture_failure")
    op.drop_column("payments", "action_url")
