"""Notifications: what is written to whom, at least once, and what came of it."""
