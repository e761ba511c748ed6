"""The outbox is read shard by shard, and forgets by when something happened."""

from runtime.migrations import index_outbox_by_shard_and_age

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    index_outbox_by_shard_and_age()
