"""Orders and checkouts over HTTP."""
