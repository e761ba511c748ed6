"""The outbox can be relayed."""

from runtime.migrations import make_outbox_relayable

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    make_outbox_relayable()
