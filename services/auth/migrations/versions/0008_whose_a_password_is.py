"""Whose a password is, and from where people sign in."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "users", sa.Column("password_proved", sa.Boolean, nullable=False, server_default=sa.false())
    )
    # Made by an operator or by way of a provider; whoever else chose theirs is not known to own the address.
    op.execute("UPDATE users SET password_proved = true WHERE email_verified_at = created_at")
    op.create_table(
        "known_addresses",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("known_addresses")
    op.drop_column("users", "password_proved")
