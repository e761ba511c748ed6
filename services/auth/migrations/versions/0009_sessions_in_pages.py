"""Ended sessions are told page by page, and an account's open ones counted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("refresh_families", sa.Column("of_staff", sa.Boolean))
    op.drop_index("refresh_families_ended", "refresh_families")
    op.create_index(
        "refresh_families_ended",
        "refresh_families",
        ["revoked_at", "id"],
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.create_index(
        "refresh_families_open",
        "refresh_families",
        ["user_id"],
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
