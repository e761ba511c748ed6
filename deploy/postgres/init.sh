#!/usr/bin/env bash
# A role for each service and the databases that it alone may enter.
# The image runs it on an empty volume; run again by hand, it adds what is new and sets changed passwords.
set -euo pipefail

# Names are ours and need no quoting; the password goes by the environment, where no process list shows it.
create() {
    local role=$1 password=${1^^}_DATABASE_PASSWORD
    PASSWORD=${!password:?$password is not set} psql -XqAt -v ON_ERROR_STOP=1 -U postgres -d postgres \
        -v role="$role" -v databases="${*:2}" <<'SQL'
-- A statement that fails must not put a password into the server's log.
SET log_min_error_statement = panic;
\getenv password PASSWORD
SELECT format('CREATE ROLE %I LOGIN', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', name, :'role')
  FROM unnest(string_to_array(:'databases', ' ')) AS name
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', name)
  FROM unnest(string_to_array(:'databases', ' ')) AS name \gexec
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
SQL
}

create auth auth
create orders orders
create inventory inventory
create payments payments
create fulfilment fulfilment
create notifications notifications
create temporal temporal temporal_visibility
