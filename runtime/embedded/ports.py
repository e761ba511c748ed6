"""Ports: which process listens where, and that nobody else does."""

import random
import socket

from runtime.embedded.errors import PlatformError
from runtime.embedded.probes import HOST

# Below what kernels hand out to outgoing connections: none of those can take a port between two starts.
_FREE_RANGE = range(20_000, 30_000)


def free_port(taken: set[int] | None = None) -> int:
    """A port that nobody listens on and that is not among the taken ones."""
    for port in random.sample(_FREE_RANGE, 1_000):
        if port not in (taken or ()) and is_free(port):
            return port
    raise PlatformError(f"no free port between {_FREE_RANGE.start} and {_FREE_RANGE.stop}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As servers do: connections that linger after their server has gone are not in the way.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
            candidate.listen()
        except OSError:
            return False
    return True
