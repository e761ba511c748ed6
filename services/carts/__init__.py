"""Carts: what guests and customers mean to buy, at the prices that they saw."""
