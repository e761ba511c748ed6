"""Ports for what tests start: each process of tests gives from a range of its own, and none of it twice.

A port that is free is taken a second later only: meanwhile a neighbour that draws from the same range may
draw it too, and so may the next test of this process.
"""

import os
from random import shuffle

from runtime.embedded.errors import PlatformError
from runtime.embedded.ports import is_free

# Below where a platform draws its own, which is below what kernels give to outgoing connections.
_RANGE = range(10_000, 20_000)


def _mine() -> list[int]:
    """This process's share of the range, in an order that another run on this machine does not have."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(_RANGE[number::count])
    shuffle(ports)
    return ports


_left = _mine()


def free_port() -> int:
    """A port that nobody listens on, and that no other test is given."""
    while _left:
        if is_free(port := _left.pop()):
            return port
    raise PlatformError("this process of tests has given every port of its range away")
