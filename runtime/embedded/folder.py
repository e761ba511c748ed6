"""The data folder: one directory holds everything that the embedded platform keeps."""

import fcntl
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from secrets import token_urlsafe
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from runtime.embedded.errors import PlatformError
from runtime.embedded.state import PlatformState

LAYOUT = 1

Content = TypeVar("Content")

_TEXTS = TypeAdapter(dict[str, str])
_NUMBERS = TypeAdapter(dict[str, int])


class Format(BaseModel):
    layout: int


class DataFolder:
    """A data folder by its path; nothing is written before `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"

    def prepare(self) -> None:
        """Make the folder if it is new; refuse one that cannot be written or has another layout."""
        try:
            self._make()
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self._check_format()
            (self.path / ".writable").touch()
            (self.path / ".writable").unlink()
        except OSError as error:
            raise PlatformError(f"cannot write to the data folder {self.path}: {error.strerror}") from error

    def lock(self) -> bool:
        """Claim the folder for this process until it ends; False when another process has it.

        The descriptor stays open on purpose: closing it would release the lock. Forks do not inherit it.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        return True

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def rotate_log(self, process: str) -> Path:
        """Begin a new log for a process; the one before is kept as `.1`."""
        log = self.log(process)
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        log.touch(mode=0o600)
        return log

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """The secrets of these names, each made once and kept."""
        kept = self._read("secrets.json", _TEXTS) or {}
        missing = {name: token_urlsafe(32) for name in names if name not in kept}
        if missing:
            kept |= missing
            self._write("secrets.json", json.dumps(kept, indent=2))
        return kept

    def ports(self) -> dict[str, int]:
        """The ports of the last start with `auto`."""
        return self._read("ports.json", _NUMBERS) or {}

    def keep_ports(self, ports: dict[str, int]) -> None:
        self._write("ports.json", json.dumps(ports, indent=2))

    def state(self) -> PlatformState | None:
        """What the last supervisor wrote; None when it has ended in order, or never was."""
        return self._read("state.json", TypeAdapter(PlatformState))

    def keep_state(self, state: PlatformState) -> None:
        self._write("state.json", state.model_dump_json(indent=2))

    def connections(self) -> dict[str, str]:
        return self._read("connections.json", _TEXTS) or {}

    def keep_connections(self, connections: dict[str, str]) -> None:
        self._write("connections.json", json.dumps(connections, indent=2))

    def forget(self) -> None:
        """Nothing runs any more; safe to repeat."""
        for name in ("state.json", "connections.json"):
            (self.path / name).unlink(missing_ok=True)

    def _make(self) -> None:
        missing = [folder for folder in self.path.parents if not folder.exists()]
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # PostgreSQL's own user has to pass through what is ours; what lies inside is closed to it.
            for folder in (self.path, *missing):
                folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)

    def _check_format(self) -> None:
        found = self._read("format.json", TypeAdapter(Format))
        if found is None:
            self._write("format.json", Format(layout=LAYOUT).model_dump_json())
        elif found.layout != LAYOUT:
            raise PlatformError(
                f"the data folder {self.path} has layout {found.layout}, this version uses {LAYOUT}:"
                " use another folder (--data) or the version that made it"
            )

    def _read(self, name: str, kind: TypeAdapter[Content]) -> Content | None:
        try:
            return kind.validate_json((self.path / name).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError as error:
            raise PlatformError(f"{self.path / name} is damaged: {error.errors()[0]['msg']}") from None
        except OSError as error:
            raise PlatformError(f"cannot read {self.path / name}: {error.strerror}") from error

    def _write(self, name: str, content: str) -> None:
        """Replace a file as a whole, readable by us alone: nobody ever sees half of it."""
        fresh = self.path / f"{name}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path / name)


def connection_settings(data: Path) -> dict[str, str]:
    """The MICROMART_ environment that reaches the platform of this folder; empty when none runs."""
    folder = DataFolder(data)
    state = folder.state()
    return folder.connections() if state is not None and state.is_running else {}
