"""Products: what is sold, under which name and at which price."""
