"""The sandbox payment provider: a stand-in for the outside world, talked to over HTTP only."""
