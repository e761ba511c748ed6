"""The append-only file that everything else is derived from."""

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from sandbox.psp.errors import LedgerError
from sandbox.psp.models import Entry

log = logging.getLogger(__name__)


class Ledger:
    """JSON lines with group commit: whoever waits while the disk is busy shares the next fsync."""

    def __init__(self, fd: int, size: int, seq: int, fsync: Callable[[int], None]) -> None:
        self._fd = fd
        self._size = size
        self._seq = seq
        self._fsync = fsync
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._broken: OSError | None = None

    @classmethod
    def open(
        cls, path: Path, replay: Callable[[Entry], None], fsync: Callable[[int], None] = os.fsync
    ) -> Self:
        """Hand every line to replay and be ready to append; a torn last line is cut off."""
        fd = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            _lock(fd, path)
            size, seq = _replayed(fd, path, replay)
            if size < os.fstat(fd).st_size:
                log.warning("%s: cut off a torn last line of %d bytes", path, os.fstat(fd).st_size - size)
                os.ftruncate(fd, size)
            fsync(fd)
            _sync_folder(path.parent)
        except BaseException as error:
            if fd >= 0:
                os.close(fd)
            if isinstance(error, OSError):
                raise LedgerError(f"{path}: {error.strerror or error}") from error
            raise
        return cls(fd, size, seq, fsync)

    @property
    def healthy(self) -> bool:
        return self._broken is None

    async def append(self, entry: Entry) -> Entry:
        """The entry with its number, once it is on disk; on LedgerError it may or may not be there."""
        if self._broken is not None:
            raise LedgerError("the ledger failed earlier; a restart tells what it holds") from self._broken
        self._seq += 1
        numbered = entry.model_copy(update={"seq": self._seq})
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((numbered.model_dump_json(exclude_none=True).encode() + b"\n", durable))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await durable
        return numbered

    async def read(self) -> bytes:
        """Every durable line as it stands in the file."""
        return await asyncio.to_thread(_read, self._fd, self._size)

    async def close(self) -> None:
        """Write what waits, then let go of the file. Safe to repeat."""
        if self._writer is not None:
            await self._writer
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    async def _write_waiting(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            lines = b"".join(line for line, _ in group)
            try:
                await asyncio.to_thread(self._write, lines)
            except OSError as error:
                self._fail(error, group)
                return
            self._size += len(lines)
            for _, durable in group:
                if not durable.done():
                    durable.set_result(None)

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._fsync(self._fd)

    def _fail(self, error: OSError, group: list[tuple[bytes, asyncio.Future[None]]]) -> None:
        # After a failed write or fsync nobody knows what the disk holds: nothing is appended behind it.
        log.error("the ledger cannot be written, nothing more is accepted: %s", error)
        self._broken = error
        late, self._waiting = self._waiting, []
        for _, durable in group + late:
            if not durable.done():
                durable.set_exception(LedgerError(f"the ledger cannot be written: {error.strerror or error}"))


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LedgerError(f"{path}: another process is writing this ledger") from error


def _replayed(fd: int, path: Path, replay: Callable[[Entry], None]) -> tuple[int, int]:
    size = seq = 0
    with open(fd, "rb", closefd=False) as file:
        for number, line in enumerate(file, 1):
            corrupt = LedgerError(f"{path}: line {number} is corrupt")
            try:
                entry = _parsed(line)
                if entry is None and not file.read(1):
                    break
                if entry is None or entry.seq != seq + 1:
                    raise corrupt
                replay(entry)
            except (ValidationError, LookupError) as error:
                raise corrupt from error
            size, seq = size + len(line), entry.seq
    return size, seq


def _parsed(line: bytes) -> Entry | None:
    """None for what a crash in the middle of a write leaves behind."""
    if not line.endswith(b"\n"):
        return None
    try:
        return Entry.model_validate_json(line)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            return None
        raise


def _read(fd: int, size: int) -> bytes:
    chunks: list[bytes] = []
    offset = 0
    while offset < size and (chunk := os.pread(fd, size - offset, offset)):
        chunks.append(chunk)
        offset += len(chunk)
    return b"".join(chunks)


def _sync_folder(folder: Path) -> None:
    # A new file survives a power cut only when its name does.
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
