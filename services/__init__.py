"""The business: one folder a service, the same file names in each."""
