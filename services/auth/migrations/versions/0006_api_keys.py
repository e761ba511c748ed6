"""API keys, and what the staff did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"

# The outcome of an action is added to it once; nothing else of it ever changes, and it never goes.
_KEPT = """
CREATE FUNCTION keep_staff_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.status IS NULL AND NEW.status IS NOT NULL AND
       to_jsonb(NEW) - 'status' - 'ended_at' = to_jsonb(OLD) - 'status' - 'ended_at' THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'what the staff did is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$
"""
_ROWS = """
CREATE TRIGGER staff_actions_rows BEFORE UPDATE OR DELETE ON staff_actions
FOR EACH ROW EXECUTE FUNCTION keep_staff_actions()
"""
_TABLE = """
CREATE TRIGGER staff_actions_table BEFORE TRUNCATE ON staff_actions
FOR EACH STATEMENT EXECUTE FUNCTION keep_staff_actions()
"""


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", ARRAY(sa.String(32)), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "staff_actions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("route", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("trace_id", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("status", sa.Integer),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_staff_actions_actor", "staff_actions", ["actor", "noted_at"])
    for statement in (_KEPT, _ROWS, _TABLE):
        op.execute(statement)
