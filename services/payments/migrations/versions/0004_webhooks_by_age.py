"""Old webhooks are found without looking at all of them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_webhooks_received_at", "webhooks", ["received_at"])


def downgrade() -> None:
    op.drop_index("ix_webhooks_received_at", "webhooks")
