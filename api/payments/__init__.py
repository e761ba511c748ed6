"""Payments over HTTP: a look at the ledger, for staff."""
