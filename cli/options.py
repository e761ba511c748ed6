"""What several commands share: the data folder, the console, the settings that reach a platform."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from contracts.topology import SERVICES
from runtime.embedded import connection_settings
from runtime.settings import Settings, load_settings

DEFAULT_DATA = Path(".micromart")

Data = Annotated[Path, typer.Option("--data", help="The platform's data folder.", file_okay=True)]

# The column of a process's name, the longest of which is a worker's.
NAME_WIDTH = max(len(service.worker) for service in SERVICES) + 1

# Where nobody's window sets the width, nothing is cut off.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def settings_of_platform(data: Path) -> Settings:
    """The settings of the platform that runs on this folder; what the environment sets wins."""
    for name, value in connection_settings(data).items():
        os.environ.setdefault(name, value)
    return load_settings()


def command_line(command: str, data: Path) -> str:
    """A command as the user has to type it for this folder."""
    folder = "" if data == DEFAULT_DATA else f" --data {data}"
    return f"micromart {command}{folder}"
