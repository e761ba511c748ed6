"""How long a connection may keep us waiting, and whether its bytes move on meanwhile."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds until a connection is cut, each for one way to hold it; `look` says how often we look."""

    # From a head's first byte to its last, and from connecting to the first byte.
    head: float = 10.0
    # Between an answer and the next request.
    idle: float = 5.0
    # A body, and an answer's reader, must move so much in each such window.
    body: float = 10.0
    body_bytes_per_second: float = 500.0
    answer: float = 30.0
    answer_bytes_per_second: float = 500.0
    # After the last word, until the client closes its side.
    linger: float = 2.0
    look: float = 1.0


class Progress:
    """Whether a count that only grows does so fast enough, window by window."""

    __slots__ = ("_from", "_least", "_since", "_window")

    def __init__(self, window: float, least_per_second: float, now: float) -> None:
        self._window = window
        self._least = window * least_per_second
        self._since = now
        self._from = 0

    def restart(self, now: float, count: int) -> None:
        """Begin a window here: until now, nothing was to be waited for."""
        self._since, self._from = now, count

    def has_stalled(self, now: float, count: int) -> bool:
        """Whether a window has ended in which the count grew too little."""
        if now - self._since < self._window:
            return False
        stalled = count - self._from < self._least
        self.restart(now, count)
        return stalled
