#!/bin/sh
# The password goes in as a configuration on stdin, where no process list shows it.
# Its name is the one that valkey-cli reads, so that a health check in the container needs nothing more.
exec valkey-server - "$@" <<END
requirepass ${REDISCLI_AUTH:?REDISCLI_AUTH is not set}
END
