"""What arrived: one file a message, named in the order of arrival."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from sandbox.mail.errors import MailboxError

# What the envelope said stands before the message's own headers, as a real server's delivery puts it there.
RECEIVED_AT, RETURN_PATH, DELIVERED_TO = "X-Received-At", "Return-Path", "Delivered-To"
_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Message(BaseModel):
    """One message as people look at it; `sender` and `to` are the envelope's."""

    id: str
    sender: str = Field(serialization_alias="from")
    to: list[str]
    subject: str
    received_at: datetime
    message_id: str
    text: str


@dataclass(frozen=True)
class Summary:
    """What is kept in memory of a message: enough to find it."""

    id: str
    to: tuple[str, ...]


class Mailbox:
    """Messages on disk before they are accepted; a restart finds all of them again."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._clock = clock
        self._writing = asyncio.Lock()
        self._kept: dict[str, Summary] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(folder.glob("[0-9]*.eml")):
                self._keep(Summary(path.stem, _addressees(_parsed(path.read_bytes()))))
        except OSError as error:
            raise MailboxError(f"{folder}: {error.strerror or error}") from error
        self._next = max((int(id_) for id_ in self._kept if id_.isdecimal()), default=0) + 1

    async def add(self, sender: str, to: list[str], content: bytes) -> str:
        """The id of the message, once it is on disk; one after another, so that their order is kept."""
        async with self._writing:
            id_ = f"{self._next:08d}"
            head = [
                f"{RECEIVED_AT}: {self._clock().isoformat()}",
                f"{RETURN_PATH}: <{sender}>",
                *(f"{DELIVERED_TO}: {address}" for address in to),
            ]
            whole = "".join(f"{line}\r\n" for line in head).encode() + content
            await asyncio.to_thread(_write, self._folder / f"{id_}.eml", whole)
            self._next += 1
            self._keep(Summary(id_, tuple(to)))
            return id_

    async def messages(self, *, to: str | None, after: str | None, limit: int) -> list[Message]:
        """The last of the messages, oldest first: to one address, or after another message, if asked."""
        found = [
            summary.id
            for summary in self._kept.values()
            if (to is None or to.lower() in (address.lower() for address in summary.to))
            and (after is None or summary.id > after)
        ]
        return await asyncio.to_thread(lambda: [self._read(id_) for id_ in found[-limit:]])

    async def raw(self, id_: str) -> bytes | None:
        """One message as it lies there; None when there is no such message."""
        if id_ not in self._kept:
            return None
        return await asyncio.to_thread(self._path(id_).read_bytes)

    def _keep(self, summary: Summary) -> None:
        self._kept[summary.id] = summary

    def _path(self, id_: str) -> Path:
        return self._folder / f"{id_}.eml"

    def _read(self, id_: str) -> Message:
        message = _parsed(self._path(id_).read_bytes())
        body = message.get_body(("plain", "html"))
        return Message(
            id=id_,
            sender=str(message[RETURN_PATH] or "").strip("<>"),
            to=list(_addressees(message)),
            subject=str(message["Subject"] or ""),
            received_at=_MOMENT.validate_python(str(message[RECEIVED_AT])),
            message_id=str(message["Message-ID"] or ""),
            text=str(body.get_content()) if body is not None else "",
        )


def _parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, EmailMessage, policy=SMTPUTF8)


def _addressees(message: EmailMessage) -> tuple[str, ...]:
    return tuple(str(address) for address in message.get_all(DELIVERED_TO, ()))


def _write(path: Path, content: bytes) -> None:
    """Put a whole file there, and its name, so that both survive a power cut."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
