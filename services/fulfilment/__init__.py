"""Fulfilment: the parcels of confirmed orders, and the people who send them."""
