"""Which lines of the ledger the shop has been told of: their numbers, in a file beside it."""

import os
from pathlib import Path

from sandbox.psp.errors import LedgerError


class Deliveries:
    """Told is what stands at or below the first number, and each number after it.

    It is not fsynced: what is forgotten in a power cut is told once more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._since: int | None = None
        self._told: set[int] = set()
        if path.exists():
            # A torn last line was never counted.
            numbers = path.read_text().split("\n")[:-1]
            if not all(number.isdecimal() for number in numbers):
                raise LedgerError(f"{path}: is not a list of numbers")
            first, *rest = map(int, numbers or ["0"])
            self._since, self._told = first, set(rest)

    def is_due(self, seq: int) -> bool:
        """Whether the shop has still to hear of a line; without a file, of none that is there already."""
        return self._since is not None and seq > self._since and seq not in self._told

    def begin(self, last: int, due: list[int]) -> None:
        """Go on behind the ledger's last line, with a file as short as can be."""
        since = min(due, default=last + 1) - 1
        told = sorted({seq for seq in self._told if seq > since})
        draft = self._path.with_suffix(".draft")
        draft.write_text("".join(f"{seq}\n" for seq in [since, *told]))
        draft.replace(self._path)
        self._told.clear()
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def done(self, seq: int) -> None:
        """The shop has heard of this line."""
        os.write(self._fd, f"{seq}\n".encode())

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
