"""Accounts can be signed in to through OpenID providers."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
