"""Sessions have an absolute end and can be listed."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
