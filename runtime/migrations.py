"""Alembic for every PostgreSQL service: its scripts live beside it, its own user runs them."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine

from runtime.database import async_url
from runtime.shards import shard_of

# Two processes that migrate at once wait for each other on this advisory lock.
_LOCK = 4_815_162_342


async def upgrade(scripts: Path, url: str) -> list[str]:
    """Bring a database to the newest revision; answers the revisions applied. Safe to repeat and to race."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    engine = create_async_engine(async_url(url), poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            return await connection.run_sync(_upgrade, config)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config) -> list[str]:
    applied: list[str] = []
    config.attributes |= {"connection": connection, "applied": applied}
    command.upgrade(config, "head")
    return applied


def run_migrations(metadata: MetaData) -> None:
    """What every service's migrations/env.py calls: run inside the connection that `upgrade` opened."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        transaction_per_migration=False,
        on_version_apply=lambda **applied: attributes["applied"].append(str(applied["step"].up_revision_id)),
    )
    context.run_migrations()


def head_of(scripts: Path) -> str | None:
    """The newest revision that a service's scripts know."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return ScriptDirectory.from_config(config).get_current_head()


def create_outbox() -> None:
    """The `outbox` table, for a service's first migration."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), unique=True, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False, index=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("traceparent", sa.String),
        sa.Column("published_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "outbox_unpublished", "outbox", ["position"], postgresql_where=sa.text("published_at IS NULL")
    )


def make_outbox_relayable() -> None:
    """What a relay needs of the outbox: each row's shard, a wake-up, and what was published by its age."""
    op.add_column("outbox", sa.Column("shard", sa.SmallInteger, nullable=False, server_default="0"))
    outbox = sa.table("outbox", sa.column("subject", sa.String), sa.column("shard", sa.SmallInteger))
    connection = op.get_bind()
    for subject in connection.scalars(sa.select(outbox.c.subject).distinct()).all():
        of_subject = sa.update(outbox).where(outbox.c.subject == subject)
        connection.execute(of_subject.values(shard=shard_of(subject)))
    op.create_index(
        "outbox_published", "outbox", ["published_at"], postgresql_where=sa.text("published_at IS NOT NULL")
    )
    op.execute(
        "CREATE FUNCTION outbox_written() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NOTIFY outbox; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER outbox_written AFTER INSERT ON outbox"
        " FOR EACH STATEMENT EXECUTE FUNCTION outbox_written()"
    )


def index_outbox_by_shard_and_age() -> None:
    """What is unpublished is found shard by shard; what was published, by when it happened."""
    for index, columns, condition in (
        ("outbox_unpublished", ["shard", "position"], "published_at IS NULL"),
        ("outbox_published", ["time"], "published_at IS NOT NULL"),
    ):
        op.drop_index(index, "outbox")
        op.create_index(index, "outbox", columns, postgresql_where=sa.text(condition))


def create_inbox() -> None:
    """The tables of a service that hears others: what it has reacted to, and what waits to be tried again."""
    op.create_table(
        "inbox",
        sa.Column("handler", sa.String(64), primary_key=True),
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    op.create_table(
        "parked",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("handler", sa.String(64), nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("event_type", sa.String, nullable=False),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("handler", "event_id", name="parked_once"),
    )
    op.create_index("parked_by_subject", "parked", ["handler", "subject", "position"])
