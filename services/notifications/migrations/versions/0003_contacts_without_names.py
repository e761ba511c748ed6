"""Of who has an account the address is known, and no name: whoever registers it may choose any."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_column("contacts", "name")


def downgrade() -> None:
    op.add_column("contacts", sa.Column("name", sa.String))
