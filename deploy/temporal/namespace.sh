#!/bin/sh
# Makes the namespace and what people search for in it. Safe to repeat.
# The CLI reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE itself.
set -eu

# A frontend may answer before it can do its work, and does not know a new namespace at once.
insist() {
    attempts=60
    until "$@"; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || exit 1
        sleep 1
    done
}

namespace_exists() {
    temporal operator namespace describe >/dev/null 2>&1 ||
        temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
}

insist namespace_exists
insist temporal operator search-attribute create --name OrderId --type Keyword
insist temporal operator search-attribute create --name CheckoutState --type Keyword
insist temporal operator search-attribute create --name NeedsOperator --type Bool
insist temporal operator search-attribute create --name EventType --type Keyword
insist temporal operator search-attribute create --name Subject --type Keyword
insist temporal operator search-attribute create --name Handler --type Keyword
