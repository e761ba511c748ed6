"""A refund that keeps failing says so, for an operator to find."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("refunds", sa.Column("operator_note", sa.String))
