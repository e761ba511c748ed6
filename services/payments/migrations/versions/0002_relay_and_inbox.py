"""The outbox can be relayed; what others say is heard."""

from runtime.migrations import create_inbox, make_outbox_relayable

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    make_outbox_relayable()
    create_inbox()
