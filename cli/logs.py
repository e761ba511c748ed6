"""micromart logs: what all processes say, in one stream."""

import json
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.options import DEFAULT_DATA, NAME_WIDTH, Data, console
from contracts.topology import SERVICES
from runtime.embedded.errors import PlatformError
from runtime.embedded.folder import DataFolder

FOLLOW_SECONDS = 0.2
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,](\d+)")
_VALKEY = re.compile(r"(\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d)\.(\d+)")
_COLOURS = {"debug": "dim", "info": "", "warning": "yellow", "error": "red", "critical": "bold red"}
# Said by the columns of a rendered line already.
_COLUMNS = frozenset({"timestamp", "level", "process", "service", "event", "logger", "exception"})


@dataclass(order=True)
class Line:
    """One line of one process's log, with the time that it or one before it tells."""

    at: str
    process: str = field(compare=False)
    text: str = field(compare=False)


def logs(
    service: Annotated[str | None, typer.Argument(help="A service or a process; all without a name.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Show the logs of all processes, or of one service's, merged by time."""
    tails = {name: Tail(name, path) for name, path in _chosen(DataFolder(data), service).items()}
    with suppress(KeyboardInterrupt):
        _show(sorted(line for tail in tails.values() for line in tail.last(lines))[-lines:] if lines else [])
        while follow:
            time.sleep(FOLLOW_SECONDS)
            _show(sorted(line for tail in tails.values() for line in tail.new()))


def _chosen(folder: DataFolder, service: str | None) -> dict[str, Path]:
    """The logs by process name; `orders` means its API and its worker."""
    found = {path.stem: path for path in sorted(folder.logs.glob("*.log"))}
    if not found:
        raise PlatformError(f"there are no logs in {folder.logs}")
    if service is None:
        return found
    both = {name for one in SERVICES if one.name == service for name in (one.api, one.worker)}
    chosen = {name: path for name, path in found.items() if name in both or name == service}
    if not chosen:
        services = sorted({one.name for one in SERVICES if {one.api, one.worker} & found.keys()})
        raise PlatformError(f"no logs of {service}; there are {', '.join([*services, *found])}")
    return chosen


class Tail:
    """The end of one log file; a file that begins anew is followed from its beginning."""

    def __init__(self, process: str, path: Path) -> None:
        self._process = process
        self._path = path
        self._inode = 0
        self._offset = 0
        self._at = ""

    def last(self, count: int) -> list[Line]:
        """The last lines that are there now; `new` goes on after them."""
        return list(deque(self.new(), maxlen=count))

    def new(self) -> Iterator[Line]:
        """The whole lines that have come since the last call."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != self._inode:
                self._inode, self._offset = inode, 0
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                self._offset += len(raw)
                text = raw.decode(errors="replace").rstrip("\n")
                self._at = time_of(text) or self._at
                yield Line(self._at, self._process, text)


def time_of(line: str) -> str | None:
    """When a line says it was written, as text that sorts; each server writes it its own way."""
    if match := _ISO.search(line):
        date, clock, fraction = match.groups()
    elif match := _VALKEY.search(line):
        date, clock = datetime.strptime(match[1], "%d %b %Y %H:%M:%S").isoformat().split("T")  # noqa: DTZ007
        fraction = match[2]
    else:
        return None
    return f"{date}T{clock}.{fraction[:6]:0<6}"


def _show(lines: list[Line]) -> None:
    for line in lines:
        if console.is_terminal:
            console.print(rendered(line))
        else:
            typer.echo(line.text)


def rendered(line: Line) -> Text:
    """A line for people: time, process, what happened, the rest as name=value."""
    shown = Text.assemble((line.at[11:23].ljust(13), "dim"), (line.process.ljust(NAME_WIDTH), "cyan"))
    try:
        event = json.loads(line.text)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        return shown.append(line.text, "dim")
    level = str(event.get("level", "info"))
    shown.append(str(event.get("event", "")), _COLOURS.get(level, ""))
    for name, value in event.items():
        if name not in _COLUMNS:
            shown.append(f" {name}=", "dim").append(str(value))
    for error in event.get("exception") or ():
        shown.append(f"\n    {error['exc_type']}: {error['exc_value']}", "red")
    return shown
