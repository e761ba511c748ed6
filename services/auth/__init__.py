"""Auth: who has an account, and which sessions are theirs."""
