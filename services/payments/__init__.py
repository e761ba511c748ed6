"""Payments: what is held, taken and given back, and at which provider."""
