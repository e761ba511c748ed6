"""Edge: deterministic. checkout.py reads top to bottom as the business process."""
