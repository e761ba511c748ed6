"""Addresses are verified, passwords reset by mail, failed sign-ins counted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("users", sa.Column("email_verified_at", sa.DateTime(timezone=True)))
    # Until now, all that was ever told of a user is that there is one.
    op.add_column("users", sa.Column("events", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "mailed_links",
        sa.Column("mail_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "reset_requests",
        sa.Column("email", sa.String(254), primary_key=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "reset_requests_waiting",
        "reset_requests",
        ["requested_at"],
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True)),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
