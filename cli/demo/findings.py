"""What the demo claims, each fact told with its figure when it was looked up, and counted."""

from rich.console import Console
from rich.text import Text


class NotShown(Exception):
    """Without this the story cannot go on; the text says what was found instead."""


class Findings:
    """The facts so far; one that does not hold makes the demo fail."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.verified = 0
        self.failed = 0

    @property
    def all_hold(self) -> bool:
        return self.verified > 0 and self.failed == 0

    def check(self, holds: bool, fact: str, found: object = "") -> None:
        """Tell a fact; where it does not hold, with what was found instead."""
        if holds:
            self.verified += 1
            self._console.print(Text.assemble(("  ✓ ", "green"), fact))
            return
        self.failed += 1
        instead = f"; found {found}" if found != "" else ""
        self._console.print(Text.assemble(("  ✗ ", "bold red"), "not verified: ", fact, instead))

    def need(self, holds: bool, fact: str, found: object) -> None:
        """The same for a fact that everything after it depends on; raises NotShown where it does not hold."""
        if not holds:
            raise NotShown(f"{fact}; found {found}")
        self.check(True, fact)
