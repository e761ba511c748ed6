"""Inventory: how much there is of what, and for whom some of it is held."""
