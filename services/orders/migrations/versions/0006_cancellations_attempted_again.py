"""A cancellation that was refused may be attempted again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("orders", sa.Column("cancellation_attempt", sa.Integer, nullable=False, server_default="1"))
