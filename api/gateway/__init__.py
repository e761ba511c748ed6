"""The one door: routes, verifies, vouches for callers and passes on."""
