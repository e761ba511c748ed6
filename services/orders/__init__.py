"""Orders: what was bought, by whom, how its checkout went; the row that decides how a checkout ends."""
