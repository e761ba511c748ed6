"""Sessions can be listed and have an absolute end; a spent token keeps its answer; keys rotate."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _add_time("refresh_families", "last_used_at", from_column="created_at")
    # What was to end by itself until now still ends then.
    _add_time("refresh_families", "ends_at", from_column="expires_at")
    op.add_column("refresh_families", sa.Column("address", sa.String(45)))
    op.add_column("refresh_families", sa.Column("user_agent", sa.String(200)))
    op.create_index(op.f("ix_refresh_families_expires_at"), "refresh_families", ["expires_at"])
    op.create_index(
        "refresh_families_ended",
        "refresh_families",
        ["revoked_at"],
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.add_column("refresh_tokens", sa.Column("answer", sa.LargeBinary))
    op.create_index(op.f("ix_refresh_tokens_used_at"), "refresh_tokens", ["used_at"])
    op.create_index(
        "refresh_tokens_answered",
        "refresh_tokens",
        ["used_at"],
        postgresql_where=sa.text("answer IS NOT NULL"),
    )
    _add_time("signing_keys", "signs_from", from_column="created_at")


def _add_time(table: str, column: str, *, from_column: str) -> None:
    """A time that every row has, those that are there already from another of theirs."""
    op.add_column(table, sa.Column(column, sa.DateTime(timezone=True)))
    rows = sa.table(table, sa.column(column), sa.column(from_column))
    op.execute(sa.update(rows).values({column: rows.c[from_column]}))
    op.alter_column(table, column, nullable=False)
