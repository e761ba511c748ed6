#!/bin/sh
# Brings both of Temporal's databases to the schema of this release. Safe to repeat.
# The password is in SQL_PASSWORD, which the tool reads itself.
set -eu

bring_up_to_date() {
    sql="temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user temporal --database $1"
    $sql setup-schema --version 0.0
    $sql update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

bring_up_to_date temporal temporal
bring_up_to_date temporal_visibility visibility
